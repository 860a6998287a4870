from datetime import timedelta

from django.conf import settings
from django.db import migrations, models

from tasks_app.migrations._default_schedules import add_schedule


def let_old_reports_expire(apps, schema_editor):
    Report = apps.get_model('reports_app', 'Report')
    kept = timedelta(days=settings.REPORT_KEEP_DAYS)
    ready = Report.objects.filter(state='ready', expires_at=None).exclude(finished_at=None)
    ready.update(expires_at=models.F('finished_at') + kept)


class Migration(migrations.Migration):

    dependencies = [
        ('reports_app', '0004_lifecycle'),
        ('tasks_app', '0011_position_uploads'),
    ]

    operations = [
        migrations.RunPython(let_old_reports_expire, migrations.RunPython.noop),
        add_schedule('expire_reports', '20 * * * *'),
    ]
