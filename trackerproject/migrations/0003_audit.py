from django.db import migrations

from trackerproject.staff_groups import give_permissions_of


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_app", "0037_audit"),
        ("trackerproject", "0002_control_of_workers"),
    ]

    operations = [migrations.RunPython(give_permissions_of("tasks_app.auditentry"), migrations.RunPython.noop)]
