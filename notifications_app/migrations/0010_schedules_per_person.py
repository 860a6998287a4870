from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import migrations
from django.utils import timezone

from tasks_app.engine.recurrence import Recurrence, next_run

SCHEDULES = {'send_due_daily_summaries': '*/15 * * * *', 'check_system': '*/5 * * * *'}
# The summary used to go to everybody at one hour. Whoever changed that schedule keeps it.
REPLACED = {'name': 'send_daily_summary', 'func': 'send_daily_summary', 'cron': '0 7 * * *'}


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
    Schedule.objects.filter(**REPLACED).delete()


def delete_schedules(apps, schema_editor):
    apps.get_model('django_q', 'Schedule').objects.filter(name__in=SCHEDULES).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('notifications_app', '0009_due_alerts_schedule'),
    ]

    operations = [
        migrations.RunPython(create_schedules, delete_schedules),
    ]
