from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import migrations
from django.utils import timezone

from tasks_app.engine.recurrence import Recurrence, next_run

NAME = 'cleanup_reports'
CRON = '50 2 * * *'


def create_schedule(apps, schema_editor):
    Schedule = apps.get_model('django_q', 'Schedule')
    ScheduleState = apps.get_model('tasks_app', 'ScheduleState')
    if Schedule.objects.filter(name=NAME).exists():
        return
    now = timezone.now()
    first = next_run(Recurrence(kind='C', anchor=now, cron=CRON), now, ZoneInfo(settings.TIME_ZONE))
    schedule = Schedule.objects.create(
        name=NAME, func=NAME, schedule_type='C', cron=CRON, repeats=-1, next_run=first
    )
    ScheduleState.objects.create(schedule_id=schedule.pk)


def delete_schedule(apps, schema_editor):
    apps.get_model('django_q', 'Schedule').objects.filter(name=NAME, func=NAME).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('tasks_app', '0013_retention_schedules'),
    ]

    operations = [
        migrations.RunPython(create_schedule, delete_schedule),
    ]
