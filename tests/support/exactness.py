"""One drawn traffic and all that follows from it, to compare what different numbers of workers and hosts make of it.

Some fixes come twice, some late, and batches cross: each holds fixes of many devices, each device's fixes lie in many.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from notifications_app.models import EventDispatch, Notification
from tasks_app.models import Device, DeviceState, DirtyDay, Event, Fleet, Geofence, Position

CENTRE = (-23.55, -46.63)
RADIUS_METERS = 300
METERS_PER_DEGREE = 111_195.0
# Of a hundred fixes, so many are sent again later, and so many are held back for a while.
REPEATED_PERCENT = 2
LATE_PERCENT = 2
# Written by the clock of the server, or counts of writes, which differ with the batches that a worker puts together.
UNCOMPARED = {"id", "device_id", "version", "updated_at", "last_seen_at", "overspeed_event_id"}


@dataclass(frozen=True, slots=True)
class Traffic:
    """Size of a traffic: `devices` x `fixes_per_device` distinct fixes, one a second, posted in batches of `batch_size`."""

    devices: int
    fixes_per_device: int
    batch_size: int
    seed: int = 1


def unique_id(number: int) -> str:
    """The identifier of a device of the traffic."""
    return f"exact-{number:04d}"


def make_vehicles(fleet: Fleet, traffic: Traffic) -> None:
    """Make the devices, and the geofence that all of them cross again and again."""
    names = [unique_id(number) for number in range(traffic.devices)]
    Device.objects.bulk_create(Device(fleet=fleet, unique_id=name, name=name) for name in names)
    area = {"type": "Circle", "coordinates": [CENTRE[1], CENTRE[0]], "radius_meters": RADIUS_METERS}
    Geofence.objects.create(fleet=fleet, name="Depot", area=area)


def batches(traffic: Traffic, first_at: datetime) -> list[list[dict[str, Any]]]:
    """The batches in the order in which they are posted; the same arguments give the same ones."""
    chance = random.Random(traffic.seed)
    sent: list[tuple[float, dict[str, Any]]] = []
    for second in range(traffic.fixes_per_device):
        for number in range(traffic.devices):
            item = _item(number, second, first_at)
            # Places in the order of sending: whole seconds for fixes in time, more for those held back.
            held_back = chance.uniform(5, 40) if chance.randrange(100) < LATE_PERCENT else 0.0
            sent.append((second + held_back, item))
            if chance.randrange(100) < REPEATED_PERCENT:
                sent.append((second + chance.uniform(1, 60), item))
    sent.sort(key=lambda pair: pair[0])
    items = [item for _, item in sent]
    return [items[start : start + traffic.batch_size] for start in range(0, len(items), traffic.batch_size)]


def _item(number: int, second: int, first_at: datetime) -> dict[str, Any]:
    """A device that drives to and fro through the geofence, each at a pace and with a phase of its own."""
    period = 60 + number % 37
    turn = 2 * math.pi * (second + 11 * number) / period
    meters = 600 * math.sin(turn)
    return {
        "device_id": unique_id(number),
        "timestamp": (first_at + timedelta(seconds=second)).isoformat(),
        "latitude": CENTRE[0] + meters / METERS_PER_DEGREE,
        "longitude": CENTRE[1] + 0.00001 * number,
        "speed": round(abs(140 * math.cos(turn)), 1),
        "course": 0.0 if math.cos(turn) > 0 else 180.0,
        "attributes": {"ignition": (second // (40 + number % 13)) % 2 == 0, "battery": 100 - second % 95},
    }


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """All that was stored and derived, by kind, in an order and with names that do not depend on ids or clocks."""
    geofences = dict(Geofence.objects.values_list("pk", "name"))
    return {
        "positions": _rows(
            Position,
            "device__unique_id",
            "fix_time",
            "latitude",
            "longitude",
            "speed_kph",
            "course_degrees",
            "attributes",
        ),
        "states": [
            _state(state, geofences)
            for state in DeviceState.objects.select_related("device").order_by("device__unique_id")
        ],
        "events": _rows(
            Event, "device__unique_id", "occurred_at", "kind", "geofence__name", "latitude", "longitude", "data"
        ),
        "notifications": _rows(Notification, "user__username", "subject"),
    }


def _rows(model: Any, *fields: str) -> list[tuple[Any, ...]]:
    return sorted(model.objects.values_list(*fields), key=repr)


def _state(state: DeviceState, geofences: dict[int, str]) -> tuple[Any, ...]:
    names = [field.attname for field in DeviceState._meta.concrete_fields if field.attname not in UNCOMPARED]
    values = {name: getattr(state, name) for name in names}
    values["geofence_ids"] = sorted(geofences[pk] for pk in state.geofence_ids)
    values["pending_geofences"] = sorted(geofences[int(pk)] for pk in state.pending_geofences)
    return (state.device.unique_id, *sorted(values.items()))


def differences(expected: dict[str, list[Any]], found: dict[str, list[Any]]) -> dict[str, str]:
    """The kinds that differ, with counts and a first example of each side."""
    return {
        kind: f"{len(expected[kind])} expected, {len(found[kind])} found; {_first_difference(expected[kind], found[kind])}"
        for kind in expected
        if expected[kind] != found[kind]
    }


def _first_difference(expected: Iterable[Any], found: Iterable[Any]) -> str:
    pairs = zip(expected, found, strict=False)
    return next((f"{one!r} is not {other!r}" for one, other in pairs if one != other), "one side has more")


def forget() -> None:
    """Delete all that was stored and derived; devices and geofences stay."""
    for model in (Notification, EventDispatch, Position, DirtyDay, DeviceState, Event):
        model.objects.all().delete()
