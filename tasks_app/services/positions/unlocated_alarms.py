"""Alarms and command results that came without a place of their own: events at the device's last known place.

A message that comes again makes no second event: the same alarm of the same time is known. Nor does an alarm that goes
on: trackers send an SOS every few seconds until it is answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection

from tasks_app.engine import current_job
from tasks_app.ingest.fix import RejectedFix
from tasks_app.ingest.unlocated_alarms import UnlocatedAlarm, alarm_names, result_text
from tasks_app.models import Event, EventKind
from tasks_app.services.positions.save_states import Changes, save_changes
from tasks_app.services.positions.senders import Sent, accept, operated_fleets
from tasks_app.services.positions.states import State, lock_states
from tasks_app.services.transactions import run_in_transaction

# The same alarm, with nothing else heard of the device, is the same one for so long.
GOES_ON = timedelta(minutes=5)
# A place from further back says nothing of where the device was when an old alarm was sent.
PLACE_MAX_AGE = timedelta(days=1)

_KNOWN = """
    SELECT w.number, e.kind, COALESCE(e.data ->> 'alarm', e.data ->> 'result'), e.occurred_at
    FROM unnest(%s::int[], %s::bigint[], %s::timestamptz[]) w(number, device_id, sent_at)
    JOIN tasks_app_event e
      ON e.device_id = w.device_id AND e.occurred_at BETWEEN w.sent_at - make_interval(secs => %s) AND w.sent_at
     AND e.kind IN ('alarm', 'command_result')
"""
_NEWEST_FIX = """
    SELECT w.number, p.fix_time, p.latitude, p.longitude, p.attributes
    FROM unnest(%s::int[], %s::bigint[], %s::timestamptz[]) w(number, device_id, at)
    CROSS JOIN LATERAL (
        SELECT * FROM tasks_app_position p
        WHERE p.device_id = w.device_id AND p.fix_time BETWEEN w.at - make_interval(secs => %s) AND w.at
          AND p.fix_time BETWEEN %s AND %s
        ORDER BY p.fix_time DESC LIMIT 1
    ) p
"""


@dataclass(slots=True)
class AlarmsResult:
    """Number of events of one call (also of devices that are back online), and the rejected alarms by index."""

    events: int = 0
    rejected: list[RejectedFix] = field(default_factory=list)


# An event kind, with the name of the alarm or the text of the result.
_Saying = tuple[EventKind, str]


@dataclass(frozen=True, slots=True)
class _Place:
    """A position of a device, with its alarms and command results."""

    fix_time: datetime
    latitude: float | None
    longitude: float | None
    said: frozenset[_Saying] = frozenset()


# An alarm with its number and the state of its device.
_AlarmOfState = tuple[int, UnlocatedAlarm, State]


def record_unlocated_alarms(
    unlocated: Sequence[UnlocatedAlarm], received_at: datetime | Sequence[datetime], *, user_id: int | None = None
) -> AlarmsResult:
    """Record the events of unlocated alarms and mark their devices as seen, in one transaction, repeated after a deadlock.

    Call it after the fixes that came along are stored. `received_at` and `user_id` are as in `store_fixes`; so are the
    rejections of unknown and inactive devices.
    """
    if not unlocated:
        return AlarmsResult()
    received = [received_at] * len(unlocated) if isinstance(received_at, datetime) else list(received_at)
    sent = Sent(unlocated, received, None if user_id is None else operated_fleets(user_id))

    def work() -> AlarmsResult:
        current_job().hold_lane()
        return record_sent_alarms([sent])

    return run_in_transaction(work)


def record_sent_alarms(sent: Sequence[Sent[UnlocatedAlarm]]) -> AlarmsResult:
    """Record the events of unlocated alarms inside the caller's transaction; return the rejected ones of the last of `sent`."""
    if not any(one.items for one in sent):
        return AlarmsResult()
    accepted = accept(sent)
    rejected = accepted.rejected[-1]
    if not accepted.items:
        return AlarmsResult(rejected=rejected)
    locked = lock_states(accepted.devices)
    states = {state.device_id: state for state in locked.states}
    located = [
        (number, one, states[pk]) for number, (one, pk) in enumerate(zip(accepted.items, accepted.pks, strict=True))
    ]
    located.sort(key=lambda one: (one[2].device_id, one[1].sent_at))
    changes = Changes(events=_events(located))
    heard_us: dict[int, int] = {}
    for pk, arrived_at in zip(accepted.pks, accepted.received_at, strict=True):
        heard_us[pk] = max(heard_us.get(pk, 0), round(arrived_at.timestamp() * 1e6))
    back = save_changes(changes, locked, accepted.devices, heard_us, announce=True)
    return AlarmsResult(len(changes.events) + len(back), rejected)


def _events(located: Sequence[_AlarmOfState]) -> list[Event]:
    """Return an event for each saying that is not known; `alarms` of the states are updated."""
    known, places = _known_sayings(located), _stored_places(located)
    events: list[Event] = []
    for number, unlocated, state in located:
        is_newest = state.fix_time is None or unlocated.sent_at >= state.fix_time
        place = places.get(number) or (_newest_place(state) if is_newest else None)
        going_on = {(EventKind.ALARM, name) for name in state.alarms} if is_newest else set()
        for saying in _sayings(unlocated.alarms, unlocated.result):
            times = known.setdefault((state.device_id, *saying), set())
            if not _is_from(place, unlocated, saying) and not _is_known(
                times, unlocated.sent_at, goes_on=saying in going_on
            ):
                events.append(_event(unlocated, saying, state, place))
                times.add(unlocated.sent_at)
        if is_newest and unlocated.alarms:
            state.alarms = list(unlocated.alarms)
    return events


def _sayings(alarms: Iterable[str], result: str) -> list[_Saying]:
    return [(EventKind.ALARM, name) for name in alarms] + ([(EventKind.COMMAND_RESULT, result)] if result else [])


def _is_known(times: set[datetime], sent_at: datetime, *, goes_on: bool) -> bool:
    """Whether this was said at this time or, where the device has said nothing else since, up to GOES_ON before."""
    return sent_at in times or (goes_on and any(sent_at - GOES_ON <= time <= sent_at for time in times))


def _is_from(place: _Place | None, unlocated: UnlocatedAlarm, saying: _Saying) -> bool:
    """Whether the fix that came with the alarm carries it too: storing that fix has made its event."""
    return place is not None and place.fix_time == unlocated.copied_fix_time and saying in place.said


def _event(unlocated: UnlocatedAlarm, saying: _Saying, state: State, place: _Place | None) -> Event:
    kind, text = saying
    data: dict[str, Any] = {"alarm" if kind == EventKind.ALARM else "result": text}
    event = Event(device_id=state.device_id, kind=kind, occurred_at=unlocated.sent_at, data=data)
    if place is not None:
        event.latitude, event.longitude = place.latitude, place.longitude
        data["last_fix_at"] = place.fix_time.isoformat()
    return event


def _newest_place(state: State) -> _Place | None:
    return None if state.fix_time is None else _Place(state.fix_time, state.latitude, state.longitude)


def _known_sayings(located: Sequence[_AlarmOfState]) -> dict[tuple[int, str, str], set[datetime]]:
    """Times of the same sayings in the minutes up to these alarms, by device, kind and text."""
    numbers, pks = [number for number, _, _ in located], [state.device_id for _, _, state in located]
    device_of, times = dict(zip(numbers, pks, strict=True)), [unlocated.sent_at for _, unlocated, _ in located]
    known: dict[tuple[int, str, str], set[datetime]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [numbers, pks, times, GOES_ON.total_seconds()])
        for number, kind, text, occurred_at in cursor.fetchall():
            known.setdefault((device_of[number], kind, text), set()).add(occurred_at)
    return known


def _stored_places(located: Sequence[_AlarmOfState]) -> dict[int, _Place]:
    """Newest stored fix up to each alarm, by its number, where the state does not have it: the alarm is old or a copy."""
    wanted = [
        (number, state.device_id, unlocated.copied_fix_time or unlocated.sent_at)
        for number, unlocated, state in located
        if unlocated.copied_fix_time or (state.fix_time is not None and unlocated.sent_at < state.fix_time)
    ]
    if not wanted:
        return {}
    numbers, pks, times = map(list, zip(*wanted, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            _NEWEST_FIX,
            [numbers, pks, times, PLACE_MAX_AGE.total_seconds(), min(times) - PLACE_MAX_AGE, max(times)],
        )
        return {number: _place(*fix) for number, *fix in cursor.fetchall()}


def _place(fix_time: datetime, latitude: float, longitude: float, attributes: str | None) -> _Place:
    said = msgspec.json.decode(attributes or "{}")
    sayings = _sayings(alarm_names(said.get("alarm")), result_text(said.get("result")))
    return _Place(fix_time, latitude, longitude, frozenset(sayings))
