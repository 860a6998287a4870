"""A default schedule as an operation of a migration."""

from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import migrations
from django.utils import timezone

from tasks_app.engine.recurrence import Recurrence, next_run


def add_schedule(name: str, cron: str) -> migrations.RunPython:
    """Run the task `name` by `cron` in TIME_ZONE, unless there is a schedule of this name."""

    def create(apps, schema_editor):
        Schedule = apps.get_model('django_q', 'Schedule')
        if Schedule.objects.filter(name=name).exists():
            return
        now = timezone.now()
        first = next_run(Recurrence(kind='C', anchor=now, cron=cron), now, ZoneInfo(settings.TIME_ZONE))
        schedule = Schedule.objects.create(
            name=name, func=name, schedule_type='C', cron=cron, repeats=-1, next_run=first
        )
        apps.get_model('tasks_app', 'ScheduleState').objects.create(schedule_id=schedule.pk)

    def delete(apps, schema_editor):
        apps.get_model('django_q', 'Schedule').objects.filter(name=name, func=name).delete()

    return migrations.RunPython(create, delete)
