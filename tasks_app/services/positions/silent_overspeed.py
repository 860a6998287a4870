"""Overspeed episodes of devices that fell silent: they ended with the last fix, and no later fix may come."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet

from tasks_app.geo.motion_rules import MotionRules
from tasks_app.geo.overspeed import OverspeedEnd
from tasks_app.models import DeviceState, Event, EventKind
from tasks_app.services.events import record_events
from tasks_app.services.positions.latest_cache import invalidate_latest_positions
from tasks_app.services.positions.overspeeds import end_event_data, episode_end
from tasks_app.services.transactions import run_in_transaction

SILENCE = timedelta(seconds=MotionRules.max_gap_seconds)
_EPISODE = ("overspeed_event_id", "overspeed_since", "overspeed_limit_kph", "overspeed_peak_kph", "overspeed_began")


def end_silent_episodes(*, now: datetime) -> int:
    """End the episodes of devices silent for half an hour; return their number. One still too short leaves no trace.

    Server time decides: a device that delivers what it buffered is not silent, however old its fixes are.
    """
    return run_in_transaction(lambda: _end_silent(now))


def _end_silent(now: datetime) -> int:
    states = list(_speeding().filter(last_seen_at__lt=now - SILENCE))
    begun = Event.objects.in_bulk([state.overspeed_event_id for state in states if state.overspeed_event_id])
    ends = []
    for state in states:
        event = begun.get(state.overspeed_event_id or 0)
        if event is not None:
            end = _end_of(state)
            event.data |= episode_end(end)
            ends.append(_end_event(state, end))
        state.overspeed_event_id = state.overspeed_since = None
        state.overspeed_limit_kph = state.overspeed_peak_kph = state.overspeed_began = None
        state.version += 1
    Event.objects.bulk_update(begun.values(), ["data"])
    DeviceState.objects.bulk_update(states, [*_EPISODE, "version"])
    invalidate_latest_positions(states)
    record_events(ends)
    return len(ends)


def _speeding() -> QuerySet[DeviceState]:
    """A state the pipeline holds right now belongs to a device that is just being heard of."""
    speeding = DeviceState.objects.filter(overspeed_since__isnull=False, fix_time__isnull=False)
    return speeding.order_by("device_id").select_for_update(skip_locked=True)


def _end_of(state: DeviceState) -> OverspeedEnd:
    assert state.fix_time is not None
    assert state.overspeed_since is not None
    return OverspeedEnd(
        index=-1,
        limit_kph=state.overspeed_limit_kph or 0.0,
        peak_kph=state.overspeed_peak_kph or 0.0,
        started_at=state.overspeed_since,
        ended_at=state.fix_time,
        duration_seconds=(state.fix_time - state.overspeed_since).total_seconds(),
    )


def _end_event(state: DeviceState, end: OverspeedEnd) -> Event:
    return Event(
        device_id=state.device_id,
        kind=EventKind.OVERSPEED_END,
        occurred_at=end.ended_at,
        latitude=state.latitude,
        longitude=state.longitude,
        data=end_event_data(end),
    )
