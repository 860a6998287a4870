from django.db import migrations

from tasks_app.migrations._default_schedules import add_schedule


class Migration(migrations.Migration):

    dependencies = [
        ('tasks_app', '0014_device_days'),
    ]

    operations = [
        add_schedule('cleanup_reports', '50 2 * * *'),
    ]
