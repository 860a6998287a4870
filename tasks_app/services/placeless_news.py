"""Alarms that came without a place of their own: events at the device's last known place, told like any other.

A message that comes again makes no second event: the same alarm of the same moment is known. Nor does an alarm that goes
on: trackers send an SOS every few seconds until somebody answers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np
from django.db import connection

from tasks_app.ingest.fix import RejectedFix
from tasks_app.ingest.placeless import PlacelessNews, alarm_names
from tasks_app.models import Event, EventKind
from tasks_app.services.accepting import accept, operated_fleets
from tasks_app.services.device_states import State, lock_states
from tasks_app.services.forward_rows import Changes
from tasks_app.services.state_changes import save_changes
from tasks_app.services.transactions import run_in_transaction

# The same alarm, with nothing else heard of the device, is the same one for so long.
GOES_ON = timedelta(minutes=5)
# A place from further back says nothing of where the device was when it told old news.
PLACE_MAX_AGE = timedelta(days=1)

_KNOWN = """
    SELECT w.number, e.occurred_at, e.data ->> 'alarm'
    FROM unnest(%s::int[], %s::bigint[], %s::timestamptz[]) w(number, device_id, told_at)
    JOIN tasks_app_event e
      ON e.device_id = w.device_id AND e.occurred_at BETWEEN w.told_at - make_interval(secs => %s) AND w.told_at
     AND e.kind = %s
"""
_NEWEST_FIX = """
    SELECT w.number, p.fix_time, p.latitude, p.longitude, p.attributes -> 'alarm'
    FROM unnest(%s::int[], %s::bigint[], %s::timestamptz[]) w(number, device_id, moment)
    CROSS JOIN LATERAL (
        SELECT * FROM tasks_app_position p
        WHERE p.device_id = w.device_id AND p.fix_time BETWEEN w.moment - make_interval(secs => %s) AND w.moment
          AND p.fix_time BETWEEN %s AND %s
        ORDER BY p.fix_time DESC LIMIT 1
    ) p
"""


@dataclass(slots=True)
class NewsResult:
    """What became of the news of one call: events (also of devices that are back), and what was refused, by its index."""

    events: int = 0
    rejected: list[RejectedFix] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a device was, when, and the alarms it sent from there."""

    fix_time: datetime
    latitude: float | None
    longitude: float | None
    alarms: Sequence[str] = ()


# News with its number, the device's primary key, and its state.
_Told = tuple[int, PlacelessNews, State]


def record_news(
    news: Sequence[PlacelessNews], received_at: datetime | Sequence[datetime], *, user_id: int | None = None
) -> NewsResult:
    """Make the events of news without a place, and mark its devices as heard of; in one transaction, repeated after a deadlock.

    Call it after the fixes that came along are stored. `received_at` and `user_id` are as in `store_fixes`; so are the
    rejections of unknown and inactive devices.
    """
    if not news:
        return NewsResult()
    received = [received_at] * len(news) if isinstance(received_at, datetime) else list(received_at)
    allowed_fleets = None if user_id is None else operated_fleets(user_id)
    return run_in_transaction(lambda: _record(news, received, allowed_fleets))


def _record(news: Sequence[PlacelessNews], received: list[datetime], allowed_fleets: set[int] | None) -> NewsResult:
    accepted = accept(news, received, allowed_fleets)
    if not accepted.items:
        return NewsResult(rejected=accepted.rejected)
    locked = lock_states(accepted.devices)
    states = {state.device_id: state for state in locked.states}
    told = [
        (number, one, states[pk]) for number, (one, pk) in enumerate(zip(accepted.items, accepted.pks, strict=True))
    ]
    told.sort(key=lambda one: (one[2].device_id, one[1].told_at))
    changes = Changes(events=_events(told))
    heard_us = dict.fromkeys(states, 0)
    for pk, moment in zip(accepted.pks, accepted.received_at, strict=True):
        heard_us[pk] = max(heard_us[pk], round(moment.timestamp() * 1e6))
    heard = np.array(list(heard_us.values()), dtype=np.int64)
    return NewsResult(save_changes(changes, locked, accepted.devices, heard, announce=True), accepted.rejected)


def _events(told: Sequence[_Told]) -> list[Event]:
    """One event for each alarm that is not known; moves `alarms` of the states on."""
    known, places = _known_alarms(told), _stored_places(told)
    events: list[Event] = []
    for number, news, state in told:
        is_newest = state.fix_time is None or news.told_at >= state.fix_time
        place = places.get(number) or (_newest_place(state) if is_newest else None)
        seen, going_on = known.setdefault(state.device_id, {}), state.alarms if is_newest else []
        for name in [name for name in news.alarms if name not in _sent_from(place, news)]:
            times = seen.setdefault(name, set())
            if not _is_known(times, news.told_at, goes_on=name in going_on):
                events.append(_event(news, name, state, place))
                times.add(news.told_at)
        if is_newest:
            state.alarms = list(news.alarms)
    return events


def _is_known(times: set[datetime], told_at: datetime, *, goes_on: bool) -> bool:
    """Was this alarm told of this moment; or, where the device has said nothing else since, a short while ago?"""
    return told_at in times or (goes_on and any(told_at - GOES_ON <= time <= told_at for time in times))


def _sent_from(place: _Place | None, news: PlacelessNews) -> Sequence[str]:
    """The alarms that the fix which came with the news carries: whoever stored it has told of them."""
    return place.alarms if place is not None and place.fix_time == news.copied_fix_time else ()


def _event(news: PlacelessNews, alarm: str, state: State, place: _Place | None) -> Event:
    data: dict[str, Any] = {"alarm": alarm}
    event = Event(device_id=state.device_id, kind=EventKind.ALARM, occurred_at=news.told_at, data=data)
    if place is not None:
        event.latitude, event.longitude = place.latitude, place.longitude
        data["last_fix_at"] = place.fix_time.isoformat()
    return event


def _newest_place(state: State) -> _Place | None:
    return None if state.fix_time is None else _Place(state.fix_time, state.latitude, state.longitude)


def _known_alarms(told: Sequence[_Told]) -> dict[int, dict[str, set[datetime]]]:
    """By device and alarm, the times it was told in the minutes before and at the time of this news."""
    numbers, pks = [number for number, _, _ in told], [state.device_id for _, _, state in told]
    device_of = dict(zip(numbers, pks, strict=True))
    known: dict[int, dict[str, set[datetime]]] = {}
    with connection.cursor() as cursor:
        moments = [news.told_at for _, news, _ in told]
        cursor.execute(_KNOWN, [numbers, pks, moments, GOES_ON.total_seconds(), EventKind.ALARM.value])
        for number, occurred_at, alarm in cursor.fetchall():
            known.setdefault(device_of[number], {}).setdefault(alarm, set()).add(occurred_at)
    return known


def _stored_places(told: Sequence[_Told]) -> dict[int, _Place]:
    """By number of the news, the newest stored fix up to then, where the state does not say: the news is old or has a copy."""
    wanted = [
        (number, state.device_id, news.copied_fix_time or news.told_at)
        for number, news, state in told
        if news.copied_fix_time or (state.fix_time is not None and news.told_at < state.fix_time)
    ]
    if not wanted:
        return {}
    numbers, pks, moments = map(list, zip(*wanted, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            _NEWEST_FIX,
            [numbers, pks, moments, PLACE_MAX_AGE.total_seconds(), min(moments) - PLACE_MAX_AGE, max(moments)],
        )
        return {
            number: _Place(fix_time, latitude, longitude, alarm_names(msgspec.json.decode(alarm or "null")))
            for number, fix_time, latitude, longitude, alarm in cursor.fetchall()
        }
