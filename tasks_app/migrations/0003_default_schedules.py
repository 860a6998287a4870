from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import migrations
from django.utils import timezone

from tasks_app.engine.recurrence import Recurrence, next_run

# Task name -> cron in TIME_ZONE (a sixth field is seconds). The hourly cleanups do not start in the same minute.
DEFAULT_SCHEDULES = {
    'drain_position_inbox': '* * * * * */30',
    'check_offline_devices': '* * * * *',
    'sweep_stuck_reports': '* * * * *',
    'sweep_stuck_deliveries': '* * * * *',
    'cleanup_expired_sessions': '*/30 * * * *',
    'check_maintenance': '0 * * * *',
    'cleanup_old_positions': '5 * * * *',
    'cleanup_old_events': '10 * * * *',
    'cleanup_job_history': '15 * * * *',
    'generate_daily_reports': '0 0 * * *',
    'send_daily_summary': '0 7 * * *',
    'cleanup_duplicate_positions': '30 3 * * *',
    'cleanup_orphaned_data': '30 3 * * *',
    'optimize_database': '0 4 * * 0',
}


def first_run(cron: str) -> datetime:
    now = timezone.now()
    return next_run(Recurrence(kind='C', anchor=now, cron=cron), now, ZoneInfo(settings.TIME_ZONE))


def create_schedules(apps, schema_editor):
    Schedule = apps.get_model('django_q', 'Schedule')
    ScheduleState = apps.get_model('tasks_app', 'ScheduleState')
    present = set(Schedule.objects.values_list('name', flat=True))
    for name, cron in DEFAULT_SCHEDULES.items():
        if name not in present:
            schedule = Schedule.objects.create(
                name=name, func=name, schedule_type='C', cron=cron, repeats=-1, next_run=first_run(cron)
            )
            ScheduleState.objects.create(schedule_id=schedule.pk)


def delete_schedules(apps, schema_editor):
    Schedule = apps.get_model('django_q', 'Schedule')
    for name in DEFAULT_SCHEDULES:
        Schedule.objects.filter(name=name, func=name).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('tasks_app', '0002_schedule_anchor_and_due_index'),
    ]

    operations = [
        migrations.RunPython(create_schedules, delete_schedules),
    ]
