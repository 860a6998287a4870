"""Tracks written down as text and driven through the pipeline's decisions, without a database.

A track is a line of `time:place` words, seconds and meters east of one place on the equator, each with what else the fix
says behind a slash: `a500` accuracy in meters, `v90` speed in km/h, `ign1`/`ign0`, `alarm=sos`, `bat15`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from tasks_app.ingest.fix import Fix
from tasks_app.models import Event, Fleet, Geofence
from tasks_app.queries.fleet_geofences import FleetGeofences, build
from tasks_app.services.positions.batch import Batch
from tasks_app.services.positions.columns import to_columns
from tasks_app.services.positions.filter_rules import DEFAULT_FILTERS
from tasks_app.services.positions.newer_fixes import newer_fixes
from tasks_app.services.positions.senders import KnownDevice
from tasks_app.services.positions.state_updates import derive_changes
from tasks_app.services.positions.states import State

METERS_PER_DEGREE = 111_195.08
# A Friday, nine in the morning in Sao Paulo.
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


# Not 0: fixes at (0, 0) are filtered.
LONGITUDE = 10.0


def east(meters: float) -> float:
    return LONGITUDE + meters / METERS_PER_DEGREE


def north(meters: float) -> float:
    return meters / METERS_PER_DEGREE


def circle(meters: float, at: float = 0.0) -> dict[str, Any]:
    return {"type": "Circle", "coordinates": [east(at), 0.0], "radius_meters": meters}


def square(half: float, at: float = 0.0) -> list[list[float]]:
    west, right, top = east(at - half), east(at + half), north(half)
    return [[west, -top], [right, -top], [right, top], [west, top], [west, -top]]


def polygon(half: float, at: float = 0.0, hole: float = 0.0) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [square(half, at), *([square(hole, at)] if hole else [])]}


def corridor(width: float) -> dict[str, Any]:
    """Along the meridian through place 0."""
    line = [[east(0), north(-2000)], [east(0), north(2000)]]
    return {"type": "LineString", "coordinates": line, "width_meters": width}


def make_fences(fleet: Fleet, geofences: dict[str, dict[str, Any]]) -> FleetGeofences:
    rows = [Geofence(pk=n, fleet=fleet, name=name, **one) for n, (name, one) in enumerate(geofences.items(), 1)]
    return build(fleet, rows)


def read_track(text: str, start: datetime = START) -> list[Fix]:
    return [_fix(word, start) for word in text.split()]


def _fix(word: str, start: datetime) -> Fix:
    place, *more = word.split("/")
    seconds, meters = place.split(":")
    said: dict[str, Any] = {"attributes": {}}
    for one in more:
        if one.startswith("alarm="):
            said["attributes"]["alarm"] = one.removeprefix("alarm=")
        elif one.startswith("ign"):
            said["attributes"]["ignition"] = one == "ign1"
        elif one.startswith("bat"):
            said["attributes"]["batteryLevel"] = float(one.removeprefix("bat"))
        else:
            said[{"a": "accuracy_meters", "v": "speed_kph"}[one[0]]] = float(one[1:])
    return Fix("van", start + timedelta(seconds=float(seconds)), 0.0, east(float(meters)), **said)


def drive(
    fixes: list[Fix],
    fleet: Fleet,
    fences: FleetGeofences,
    batch_size: int,
    limit_kph: float | None,
    device: dict[str, Any],
) -> tuple[list[Event], State]:
    """The events of the fixes, sent in batches, with their ends filled in as the pipeline would; and the state after."""
    known = KnownDevice(
        pk=1,
        unique_id="van",
        fleet_id=1,
        kind=device.get("kind", "van"),
        is_active=True,
        speed_limit_kph=device.get("speed_limit_kph", limit_kph),
        overspeed_tolerance_kph=device.get("overspeed_tolerance_kph", fleet.overspeed_tolerance_kph),
        overspeed_min_seconds=device.get("overspeed_min_seconds", fleet.overspeed_min_seconds),
        battery_low_percent=fleet.battery_low_percent,
        time_zone=fleet.time_zone,
        has_state=True,
    )
    state = new_state()
    events: list[Event] = []
    for begin in range(0, len(fixes), batch_size):
        some = fixes[begin : begin + batch_size]
        batch = Batch(to_columns(some, [1] * len(some), [START] * len(some)), [known], [DEFAULT_FILTERS]).with_states(
            [state]
        )
        changes = derive_changes(newer_fixes(batch, np.ones(len(batch.columns), dtype=bool)), {1: fences})
        events += changes.events
        for event in changes.events:
            if event.kind == "overspeed" and event.occurred_at == state.overspeed_since:
                state.overspeed_event_id = events.index(event)
        for number, data in changes.ended_episodes:
            events[number].data |= data
    return events, state


def new_state() -> State:
    nothing = dict.fromkeys(State.__struct_fields__)
    known = {
        "device_id": 1,
        "status": "unknown",
        "is_speed_derived": False,
        "is_moving": False,
        "odometer_meters": 0.0,
        "engine_seconds": 0.0,
    }
    kept = {"version": 0, "geofence_ids": [], "pending_geofences": {}, "alarms": [], "is_battery_low": False}
    return State(**{**nothing, **known, **kept})  # type: ignore[arg-type]


def event_line(event: Event, start: datetime = START) -> str:
    """`enter yard 10`, `overspeed 10-40 peak 120`, `alarm sos 10`: what a person would note down."""
    seconds = round((event.occurred_at - start).total_seconds())
    if event.kind.startswith("geofence_"):
        return f"{event.kind.removeprefix('geofence_')} {event.data['geofence']} {seconds}"
    if event.kind == "overspeed":
        return f"overspeed {seconds}-{_end(event, start)}"
    if event.kind == "overspeed_end":
        return f"overspeed_end {seconds} after {event.data['duration_seconds']:.0f} peak {event.data['peak_kph']:.0f}"
    detail = event.data.get("alarm") or event.data.get("battery_percent")
    return f"{event.kind} {detail} {seconds}" if detail is not None else f"{event.kind} {seconds}"


def _end(event: Event, start: datetime) -> str:
    if "ended_at" not in event.data:
        return ""
    ended = round((datetime.fromisoformat(event.data["ended_at"]) - start).total_seconds())
    assert event.data["duration_seconds"] == ended - round((event.occurred_at - start).total_seconds())
    return f"{ended} peak {event.data['peak_kph']:.0f}"
