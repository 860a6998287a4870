"""A made-up fleet for measuring ingest: devices that wander through polygons, always the same ones."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User

from tasks_app.ingest.fix import Fix
from tasks_app.models import Device, Fleet, FleetMembership, FleetRole, Geofence

FLEET = "Benchmark"
DEVICES = 500
GEOFENCES = 50
POLYGON_POINTS = 50
SPEED_LIMIT_KPH = 90
SECONDS_BETWEEN_FIXES = 10
CENTRE = (-23.55, -46.63)


def make_fleet() -> Fleet:
    """Devices and geofences, once per database."""
    fleet, _ = Fleet.objects.get_or_create(name=FLEET, defaults={"speed_limit_kph": SPEED_LIMIT_KPH})
    devices = [Device(fleet=fleet, unique_id=unique_id(n), name=unique_id(n)) for n in range(DEVICES)]
    Device.objects.bulk_create(devices, ignore_conflicts=True)
    chance = random.Random(7)
    areas = [Geofence(fleet=fleet, name=f"Area {n}", area=polygon(chance)) for n in range(GEOFENCES)]
    Geofence.objects.bulk_create(areas, ignore_conflicts=True)
    return fleet


def make_operator() -> User:
    """A user who operates the fleet, not one who sees everything anyway."""
    user, _ = get_user_model().objects.get_or_create(username="bench")
    FleetMembership.objects.get_or_create(user=user, fleet=make_fleet(), defaults={"role": FleetRole.OPERATOR})
    return user


def unique_id(number: int) -> str:
    return f"bench-{number:04d}"


def polygon(chance: random.Random) -> dict[str, object]:
    """A bulging ring of POLYGON_POINTS corners and some two kilometers across."""
    latitude, longitude = (middle + chance.uniform(-0.15, 0.15) for middle in CENTRE)
    turns = [2 * math.pi * n / POLYGON_POINTS for n in range(POLYGON_POINTS)]
    radii = [0.01 * chance.uniform(0.8, 1.2) for _ in turns]
    ring = [
        [longitude + r * math.cos(turn), latitude + r * math.sin(turn)] for r, turn in zip(radii, turns, strict=True)
    ]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def make_fixes(per_device: int, first_at: datetime) -> list[Fix]:
    """`per_device` fixes of every device in time order, all devices side by side."""
    chance = random.Random(11)
    places = [[middle + chance.uniform(-0.15, 0.15) for middle in CENTRE] for _ in range(DEVICES)]
    courses = [chance.uniform(0, 360) for _ in range(DEVICES)]
    fixes = []
    for step in range(per_device):
        at = first_at + timedelta(seconds=step * SECONDS_BETWEEN_FIXES)
        for number, place in enumerate(places):
            courses[number] = (courses[number] + chance.uniform(-20, 20)) % 360
            place[0] += 0.0015 * math.cos(math.radians(courses[number]))
            place[1] += 0.0015 * math.sin(math.radians(courses[number]))
            speed_kph = max(0.0, chance.gauss(60, 18))
            attributes = {"ignition": True, "sat": 9}
            fixes.append(Fix(unique_id(number), at, *place, speed_kph, courses[number], 760.0, 5.0, attributes))
    return fixes


def batches(fixes: list[Fix], size: int) -> list[list[Fix]]:
    return [fixes[start : start + size] for start in range(0, len(fixes), size)]


def yesterday() -> datetime:
    """Midnight UTC of the day before today: what is stored is in the past and on few days."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=1)
