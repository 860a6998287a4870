"""Live trips: events of their start and end, by the function that detects the trips of reports (docs/adr/).

1. Devices with fixes that were not looked at yet, and those that fell silent on the way, are taken in batches.
2. Of each the fixes since its last settled time are read, one query for a batch, and its trips detected.
3. Certain starts and ends without an event get one; the settled time moves on. One transaction per batch.

A start is certain when later fixes can change neither it nor that there is a trip, an end when they cannot move it. Fixes
that arrive late, before what is settled, change reports and not these events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
from django.db import connection

from tasks_app.geo.motion import Timeline, Trip, timeline
from tasks_app.geo.motion_rules import MotionRules, motion_rules
from tasks_app.geo.steps import NEIGHBOURS, Steps
from tasks_app.models import Device, Event, EventKind, TripState
from tasks_app.queries.drives import datetime_of, steps_of
from tasks_app.queries.positions import Track, tracks_since
from tasks_app.services.events import complete_episodes, record_events
from tasks_app.services.transactions import run_in_transaction

BATCH_DEVICES = 50
MAX_DEVICES = 5_000
# How much of a device's past is looked at the first time: a trip may be under way.
FIRST_LOOK = timedelta(days=1)

_DUE = """
    SELECT s.device_id FROM tasks_app_devicestate s LEFT JOIN tasks_app_tripstate t ON t.device_id = s.device_id
    WHERE s.fix_time IS NOT NULL
      AND (t.device_id IS NULL OR s.fix_time > t.seen_until
           OR (t.is_going AND COALESCE(s.last_seen_at, s.fix_time) < %s))
    ORDER BY t.seen_until NULLS FIRST, s.device_id LIMIT %s
"""
_MISSING = """
    INSERT INTO tasks_app_tripstate (device_id, context_from, open_from, seen_until, is_going)
    SELECT device_id, fix_time - look.back, fix_time - look.back, fix_time - look.back, false
    FROM tasks_app_devicestate, make_interval(secs => %s) AS look (back)
    WHERE device_id = ANY(%s) AND fix_time IS NOT NULL
    ON CONFLICT DO NOTHING
"""


@dataclass(slots=True)
class _Findings:
    """Findings for one batch of devices: new events, and ends to correct (event id, event of the end)."""

    events: list[Event] = field(default_factory=list)
    moved_ends: list[tuple[int, Event]] = field(default_factory=list)
    # By device, the end of the trip that its state tells of: the event has an id only once it is stored.
    ends: dict[int, Event] = field(default_factory=dict)


def record_trips(*, now: datetime) -> dict[str, int]:
    """Record the trips that began or ended since the last run; return {"devices", "started", "ended"}."""
    silent_before = now - timedelta(seconds=MotionRules.max_gap_seconds)
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [silent_before, MAX_DEVICES])
        due = [row[0] for row in cursor.fetchall()]
    counts = {"devices": 0, "started": 0, "ended": 0}
    for first in range(0, len(due), BATCH_DEVICES):
        batch = due[first : first + BATCH_DEVICES]
        for name, count in run_in_transaction(partial(_record, batch, silent_before)).items():
            counts[name] += count
    return counts


def _record(device_ids: Sequence[int], silent_before: datetime) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(_MISSING, [FIRST_LOOK.total_seconds(), list(device_ids)])
    locked = TripState.objects.filter(device__in=device_ids).order_by("device_id").select_for_update(skip_locked=True)
    states = list(locked)
    devices = Device.objects.select_related("state").in_bulk([state.device_id for state in states])
    # After the devices' newest fixes: what is stored meanwhile is looked at next time.
    tracks = tracks_since([(state.device_id, state.context_from) for state in states])
    findings = _Findings()
    for state in states:
        known = devices[state.device_id].state
        assert known.fix_time is not None
        is_silent = (known.last_seen_at or known.fix_time) < silent_before
        if (fixes := tracks.get(state.device_id)) is not None:
            _look(state, devices[state.device_id], fixes, is_silent, findings)
        state.seen_until, state.is_going = known.fix_time, not is_silent
    _save(states, findings, devices.values())
    kinds = [event.kind for event in findings.events]
    started, ended = kinds.count(EventKind.TRIP_START), kinds.count(EventKind.TRIP_END)
    return {"devices": len(states), "started": started, "ended": ended}


def _look(state: TripState, device: Device, fixes: Track, is_silent: bool, findings: _Findings) -> None:
    """Detect the trips of one device from where they are open, note what is new, and move the state on."""
    steps = steps_of(fixes, device)
    begin = int(np.searchsorted(steps.times, state.open_from.timestamp()))
    going_on = _from(steps, begin, is_last=False)
    found = _from(steps, begin, is_last=True) if is_silent else going_on
    for trip in found.trips:
        _note(state, trip, steps, trip != found.open_trip, findings)
    if going_on.open_from_seconds > state.open_from.timestamp():
        state.open_from = datetime_of(going_on.open_from_seconds)
        state.context_from = _context_from(fixes, going_on.open_from_seconds, device)


def _from(steps: Steps, begin: int, *, is_last: bool) -> Timeline:
    inner = steps.inner(is_first=True, is_last=is_last)
    return timeline(inner.part(min(begin, len(inner)), len(inner)), is_last=is_last)


def _context_from(fixes: Track, open_from_seconds: float, device: Device) -> datetime:
    """Start of the fixes to read, so that those from `open_from_seconds` on give the result of the whole track."""
    rules = motion_rules(device.kind)
    around = open_from_seconds - rules.reach_seconds
    # Of the farthest fixes only whether they are outliers matters, which two fixes beside them tell.
    by_gain = int(np.searchsorted(fixes.times_seconds, around)) - 2
    by_sent = int(np.searchsorted(fixes.times_seconds, open_from_seconds - rules.sent_reach_seconds)) - NEIGHBOURS
    return datetime_of(min(around, fixes.times_seconds[max(0, min(by_gain, by_sent))]))


def _note(state: TripState, trip: Trip, steps: Steps, is_over: bool, findings: _Findings) -> None:
    """Make the events of a trip that were not made before. Forward in time only."""
    started_at = datetime_of(trip.started_seconds)
    is_known = state.started_at is not None and datetime_of(trip.ended_seconds) > state.started_at >= started_at
    if state.started_at is not None and started_at <= state.started_at and not is_known:
        return
    if not is_known:
        state.started_at, state.end_event_id = started_at, None
        findings.ends.pop(state.device_id, None)
        findings.events.append(_event(EventKind.TRIP_START, state.device_id, steps, trip, trip.started_seconds))
    if is_over:
        end = _event(EventKind.TRIP_END, state.device_id, steps, trip, trip.ended_seconds)
        end.data = _figures(steps, trip)
        if state.end_event_id is not None:
            findings.moved_ends.append((state.end_event_id, end))
        else:
            findings.events.append(end)
            findings.ends[state.device_id] = end


def _event(kind: EventKind, device_id: int, steps: Steps, trip: Trip, seconds: float) -> Event:
    place = int(np.searchsorted(steps.times, seconds))
    return Event(
        device_id=device_id,
        kind=kind,
        occurred_at=datetime_of(seconds),
        latitude=float(steps.latitudes[place]),
        longitude=float(steps.longitudes[place]),
        data={},
    )


def _figures(steps: Steps, trip: Trip) -> dict[str, Any]:
    place = int(np.searchsorted(steps.times, trip.started_seconds))
    return {
        "started_at": datetime_of(trip.started_seconds).isoformat(),
        "distance_meters": round(trip.distance_meters, 1),
        "duration_seconds": round(trip.duration_seconds, 3),
        "max_speed_kph": round(trip.max_speed_kph, 1),
        "average_speed_kph": round(trip.average_speed_kph, 1),
        "start_latitude": float(steps.latitudes[place]),
        "start_longitude": float(steps.longitudes[place]),
    }


def _save(states: Sequence[TripState], findings: _Findings, devices: Iterable[Device]) -> None:
    record_events(findings.events, fleet_of={device.pk: device.fleet_id for device in devices})
    for state in states:
        if (end := findings.ends.get(state.device_id)) is not None:
            state.end_event_id = end.pk
    for event_id, end in findings.moved_ends:
        place = {"latitude": end.latitude, "longitude": end.longitude}
        Event.objects.filter(pk=event_id).exclude(occurred_at=end.occurred_at).update(
            occurred_at=end.occurred_at, **place
        )
    complete_episodes((event_id, end.data) for event_id, end in findings.moved_ends)
    fields = ["context_from", "open_from", "seen_until", "started_at", "end_event_id", "is_going"]
    TripState.objects.bulk_update(states, fields)
