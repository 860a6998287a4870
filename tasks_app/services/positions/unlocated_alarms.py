"""Alarms and command results that came without a place of their own: events at the device's last known place.

A message that comes again makes no second event: the same alarm of the same moment is known. Nor does an alarm that goes
on: trackers send an SOS every few seconds until somebody answers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection

from tasks_app.ingest.fix import RejectedFix
from tasks_app.ingest.placeless import PlacelessNews, alarm_names, result_text
from tasks_app.models import Event, EventKind
from tasks_app.services.positions.newer_fixes import Changes
from tasks_app.services.positions.save_states import save_changes
from tasks_app.services.positions.senders import accept, operated_fleets
from tasks_app.services.positions.states import State, lock_states
from tasks_app.services.transactions import run_in_transaction

# The same alarm, with nothing else heard of the device, is the same one for so long.
GOES_ON = timedelta(minutes=5)
# A place from further back says nothing of where the device was when it told old news.
PLACE_MAX_AGE = timedelta(days=1)

_KNOWN = """
    SELECT w.number, e.kind, COALESCE(e.data ->> 'alarm', e.data ->> 'result'), e.occurred_at
    FROM unnest(%s::int[], %s::bigint[], %s::timestamptz[]) w(number, device_id, told_at)
    JOIN tasks_app_event e
      ON e.device_id = w.device_id AND e.occurred_at BETWEEN w.told_at - make_interval(secs => %s) AND w.told_at
     AND e.kind IN ('alarm', 'command_result')
"""
_NEWEST_FIX = """
    SELECT w.number, p.fix_time, p.latitude, p.longitude, p.attributes
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


# What a device says: an event kind, with the name of the alarm or the text of the result.
_Saying = tuple[EventKind, str]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a device was, when, and what it said from there."""

    fix_time: datetime
    latitude: float | None
    longitude: float | None
    said: frozenset[_Saying] = frozenset()


# News with its number and the state of its device.
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
    heard_us: dict[int, int] = {}
    for pk, moment in zip(accepted.pks, accepted.received_at, strict=True):
        heard_us[pk] = max(heard_us.get(pk, 0), round(moment.timestamp() * 1e6))
    return NewsResult(save_changes(changes, locked, accepted.devices, heard_us, announce=True), accepted.rejected)


def _events(told: Sequence[_Told]) -> list[Event]:
    """One event for each saying that is not known; moves `alarms` of the states on."""
    known, places = _known_sayings(told), _stored_places(told)
    events: list[Event] = []
    for number, news, state in told:
        is_newest = state.fix_time is None or news.told_at >= state.fix_time
        place = places.get(number) or (_newest_place(state) if is_newest else None)
        going_on = {(EventKind.ALARM, name) for name in state.alarms} if is_newest else set()
        for saying in _sayings(news.alarms, news.result):
            times = known.setdefault((state.device_id, *saying), set())
            if not _is_from(place, news, saying) and not _is_known(times, news.told_at, goes_on=saying in going_on):
                events.append(_event(news, saying, state, place))
                times.add(news.told_at)
        if is_newest and news.alarms:
            state.alarms = list(news.alarms)
    return events


def _sayings(alarms: Iterable[str], result: str) -> list[_Saying]:
    return [(EventKind.ALARM, name) for name in alarms] + ([(EventKind.COMMAND_RESULT, result)] if result else [])


def _is_known(times: set[datetime], told_at: datetime, *, goes_on: bool) -> bool:
    """Was this said of this moment; or, where the device has said nothing else since, a short while ago?"""
    return told_at in times or (goes_on and any(told_at - GOES_ON <= time <= told_at for time in times))


def _is_from(place: _Place | None, news: PlacelessNews, saying: _Saying) -> bool:
    """Does the fix that came with the news say it? Then whoever stored that has told of it."""
    return place is not None and place.fix_time == news.copied_fix_time and saying in place.said


def _event(news: PlacelessNews, saying: _Saying, state: State, place: _Place | None) -> Event:
    kind, text = saying
    data: dict[str, Any] = {"alarm" if kind == EventKind.ALARM else "result": text}
    event = Event(device_id=state.device_id, kind=kind, occurred_at=news.told_at, data=data)
    if place is not None:
        event.latitude, event.longitude = place.latitude, place.longitude
        data["last_fix_at"] = place.fix_time.isoformat()
    return event


def _newest_place(state: State) -> _Place | None:
    return None if state.fix_time is None else _Place(state.fix_time, state.latitude, state.longitude)


def _known_sayings(told: Sequence[_Told]) -> dict[tuple[int, str, str], set[datetime]]:
    """By device, kind and text, when it was said in the minutes before and at the time of this news."""
    numbers, pks = [number for number, _, _ in told], [state.device_id for _, _, state in told]
    device_of, moments = dict(zip(numbers, pks, strict=True)), [news.told_at for _, news, _ in told]
    known: dict[tuple[int, str, str], set[datetime]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [numbers, pks, moments, GOES_ON.total_seconds()])
        for number, kind, text, occurred_at in cursor.fetchall():
            known.setdefault((device_of[number], kind, text), set()).add(occurred_at)
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
        return {number: _place(*fix) for number, *fix in cursor.fetchall()}


def _place(fix_time: datetime, latitude: float, longitude: float, attributes: str | None) -> _Place:
    said = msgspec.json.decode(attributes or "{}")
    sayings = _sayings(alarm_names(said.get("alarm")), result_text(said.get("result")))
    return _Place(fix_time, latitude, longitude, frozenset(sayings))
