"""Interpretation of Schedule rows: the call and the series of due times. Reads rows, writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _
from django_q.models import Schedule

from tasks_app.engine import Task, get_task
from tasks_app.engine.recurrence import CRON, ONCE, InvalidRecurrence, Recurrence, next_run
from tasks_app.services.arguments import resolve_times
from tasks_app.services.schedules.arguments import InvalidSchedule, parse_args, parse_kwargs
from tasks_app.utils.time_zones import is_zone_name

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class ScheduledCall:
    """A call that passed every check."""

    task: Task[Any, Any]
    args: list[Any]
    kwargs: dict[str, Any]


def schedulable_task(name: str) -> Task[Any, Any]:
    """Return the task of that name or dotted path. Raises UnknownTask, and InvalidSchedule for one not schedulable."""
    task = get_task(name)
    if not task.schedulable:
        raise InvalidSchedule(_("The task %(name)s may not be put on a schedule.") % {"name": task.name})
    return task


def resolve_call(schedule: Schedule, due: datetime, time_zone: str) -> ScheduledCall:
    """Return the checked call of the run due at `due`. Relative times are those of that moment in the schedule's zone,
    however late the run starts. Raises UnknownTask, InvalidArguments, InvalidSchedule."""
    if schedule.hook:
        raise InvalidSchedule(_("Hooks are not supported: let the task call what is to follow."))
    task = schedulable_task(schedule.func)
    kwargs = parse_kwargs(schedule.kwargs)
    if schedule.intended_date_kwarg:
        kwargs[schedule.intended_date_kwarg] = due.isoformat()
    args, kwargs = resolve_times(task, parse_args(schedule.args), kwargs, at=due, zone=schedule_zone(time_zone))
    call = ScheduledCall(task, args, kwargs)
    task.arguments.check(call.args, call.kwargs)
    return call


def schedule_zone(time_zone: str) -> ZoneInfo:
    """The time zone of that name, the server's for an empty one. Raises InvalidSchedule."""
    if time_zone and not is_zone_name(time_zone):
        raise InvalidSchedule(_("%(name)s is not a known time zone.") % {"name": time_zone})
    return ZoneInfo(time_zone or settings.TIME_ZONE)


def recurrence_of(schedule: Schedule, due: datetime, anchor: datetime | None, zone: ZoneInfo) -> Recurrence:
    """The series that `due` belongs to: that of `anchor`, unless staff moved the row away from it.

    Raises InvalidRecurrence for a row that can have no next run (once included).
    """
    kind, minutes, cron = schedule.schedule_type, schedule.minutes, schedule.cron
    here = Recurrence(kind, anchor=due, minutes=minutes, cron=cron)
    if anchor is None or kind == CRON or anchor > due:
        return here
    recurrence = Recurrence(kind, anchor=anchor, minutes=minutes, cron=cron)
    return recurrence if next_run(recurrence, due - _INSTANT, zone) == due else here


def planned_runs(schedule: Schedule, *, time_zone: str, now: datetime, count: int) -> list[datetime]:
    """Return the first due times of a row as it would be saved; none for one that has none."""
    try:
        zone = schedule_zone(time_zone)
        if schedule.schedule_type == CRON:
            schedule.next_run = next_run(recurrence_of(schedule, now, None, zone), now, zone)
        return due_times(schedule, time_zone=time_zone, anchor=None, now=now, count=count)
    except (InvalidRecurrence, InvalidSchedule):
        return []


def due_times(
    schedule: Schedule, *, time_zone: str, anchor: datetime | None, now: datetime, count: int
) -> list[datetime]:
    """The next `count` due times; one that was missed counts as due now. Raises InvalidRecurrence, InvalidSchedule."""
    if schedule.next_run is None or schedule.repeats == 0:
        return []
    runs = [schedule.next_run]
    if schedule.schedule_type == ONCE:
        return runs[:count]
    zone = schedule_zone(time_zone)
    recurrence = recurrence_of(schedule, schedule.next_run, anchor, zone)
    if schedule.repeats > 0:
        count = min(count, schedule.repeats)
    while len(runs) < count:
        runs.append(next_run(recurrence, max(runs[-1], now), zone))
    return runs[:count]
