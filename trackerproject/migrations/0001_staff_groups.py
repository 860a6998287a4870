from django.db import migrations

from trackerproject.staff_groups import make_groups


class Migration(migrations.Migration):
    dependencies = [
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("axes", "0010_accessattemptexpiration"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
        ("knox", "0009_extend_authtoken_field"),
        ("notifications_app", "0019_named_devices_and_fleets"),
        ("reports_app", "0012_deleted_devices"),
        ("sessions", "0001_initial"),
        ("tasks_app", "0026_recorded_help_texts"),
    ]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
