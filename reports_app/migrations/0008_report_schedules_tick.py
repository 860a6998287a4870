from django.db import migrations

from tasks_app.migrations._default_schedules import add_schedule


class Migration(migrations.Migration):

    dependencies = [
        ('reports_app', '0007_schedules'),
        ('tasks_app', '0011_position_uploads'),
    ]

    operations = [
        add_schedule('run_report_schedules', '* * * * *'),
    ]
