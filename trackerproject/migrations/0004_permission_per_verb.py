from django.db import migrations

from trackerproject.staff_groups import give_holders, give_permissions_of

# Who held the first may do the others from now on, as before.
FORMER = {
    "change_job": ["cancel_job", "retry_job", "run_job_now", "pause_queue"],
    "delete_job": ["purge_queue"],
}


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("tasks_app", "0042_permission_per_verb"),
        ("trackerproject", "0003_audit"),
    ]

    operations = [
        migrations.RunPython(give_holders("tasks_app", "job", FORMER), migrations.RunPython.noop),
        migrations.RunPython(give_permissions_of("tasks_app.job"), migrations.RunPython.noop),
    ]
