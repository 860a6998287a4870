from django.db import migrations

from trackerproject.staff_groups import give_permissions_of


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_app", "0043_commands"),
        ("trackerproject", "0004_permission_per_verb"),
    ]

    operations = [
        migrations.RunPython(
            give_permissions_of("tasks_app.command", "tasks_app.savedcommand"), migrations.RunPython.noop
        )
    ]
