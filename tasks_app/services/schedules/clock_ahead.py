"""Schedules that ran by a clock that was ahead: they would wait until the right one is that late, for years perhaps."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django_q.models import Schedule

from tasks_app.engine.recurrence import InvalidRecurrence, next_run
from tasks_app.models import ScheduleState
from tasks_app.services.schedules.arguments import InvalidSchedule
from tasks_app.services.schedules.calls import recurrence_of, schedule_zone

logger = logging.getLogger(__name__)

# The clocks of several hosts may differ by less than this.
_AHEAD = timedelta(minutes=1)


def ran_ahead(now: datetime) -> Q:
    """Whether the last run of a schedule lies in the future, and so perhaps the next one."""
    return Q(next_run__gt=now, state__last_run_at__gt=now + _AHEAD)


@transaction.atomic
def bring_back(schedule_id: int, now: datetime) -> None:
    """Give such a schedule the next due time from now on."""
    rows = Schedule.objects.filter(ran_ahead(now), pk=schedule_id)
    schedule = rows.select_for_update(skip_locked=True, of=("self",)).first()
    if schedule is None:
        return
    state = ScheduleState.objects.get(schedule=schedule)
    try:
        zone = schedule_zone(state.time_zone)
        following = next_run(recurrence_of(schedule, schedule.next_run, state.anchor_at, zone), now, zone)
    except (InvalidRecurrence, InvalidSchedule):
        following = schedule.next_run
    logger.warning(
        "Schedule %s ran by a clock that was ahead, at %s: its next run is at %s and not at %s",
        *(schedule.pk, state.last_run_at, following, schedule.next_run),
    )
    schedule.next_run = min(following, schedule.next_run)
    schedule.save(update_fields=["next_run"])
    state.last_run_at = now
    state.save(update_fields=["last_run_at"])
