from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import migrations
from django.utils import timezone

from tasks_app.engine.recurrence import Recurrence, next_run

SCHEDULES = {
    'sample_table_sizes': '20 0 * * *',
    'cleanup_history': '30 2 * * *',
    'cleanup_notifications': '40 2 * * *',
}


def create_schedules(apps, schema_editor):
    Schedule = apps.get_model('django_q', 'Schedule')
    ScheduleState = apps.get_model('tasks_app', 'ScheduleState')
    now = timezone.now()
    for name, cron in SCHEDULES.items():
        if Schedule.objects.filter(name=name).exists():
            continue
        first = next_run(Recurrence(kind='C', anchor=now, cron=cron), now, ZoneInfo(settings.TIME_ZONE))
        schedule = Schedule.objects.create(
            name=name, func=name, schedule_type='C', cron=cron, repeats=-1, next_run=first
        )
        ScheduleState.objects.create(schedule_id=schedule.pk)


def delete_schedules(apps, schema_editor):
    Schedule = apps.get_model('django_q', 'Schedule')
    for name in SCHEDULES:
        Schedule.objects.filter(name=name, func=name).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('tasks_app', '0012_retention'),
    ]

    operations = [
        migrations.RunPython(create_schedules, delete_schedules),
    ]
