from django.db import migrations

from trackerproject.staff_groups import give_permissions_of


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_app", "0034_control_of_tasks_and_workers"),
        ("trackerproject", "0001_staff_groups"),
    ]

    operations = [migrations.RunPython(give_permissions_of("tasks_app.job"), migrations.RunPython.noop)]
