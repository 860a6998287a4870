"""Days of the simulated city, as one tracker measures them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

import numpy as np

from tasks_app.geo.simulated_day import VehicleDay, vehicle_day
from tasks_app.ingest.simulation import DEFAULT_SEED, LIVE_BEGINS_AT
from trackerproject.dev.simulated_trackers.base import Report

FIRST_DAY = date(2026, 1, 15)


def day_of_reports(
    number: int, day: date, *, every_seconds: int, zone: tzinfo = UTC, seed: int = DEFAULT_SEED
) -> list[Report]:
    """Return what vehicle `number` measures on a day, in time order, at most one report in `every_seconds`."""
    measured = vehicle_day(np.random.default_rng([seed, day.toordinal(), number]), hurries=number % 3 == 1)
    midnight = datetime.combine(day, time.min, zone).astimezone(UTC)
    return list(_reports(measured, midnight, every_seconds))


def live_reports(number: int, *, start_at: datetime, every_seconds: int, seed: int = DEFAULT_SEED) -> Iterator[Report]:
    """Yield what the vehicle measures from `start_at` on, without an end: nine in the morning of its first day, then on."""
    day = FIRST_DAY
    shift = start_at.astimezone(UTC) - datetime.combine(day, time.min, UTC) - LIVE_BEGINS_AT
    while True:
        measured = vehicle_day(np.random.default_rng([seed, day.toordinal(), number]), hurries=number % 3 == 1)
        midnight = datetime.combine(day, time.min, UTC) + shift
        yield from (one for one in _reports(measured, midnight, every_seconds) if one.at >= start_at)
        day += timedelta(days=1)


def _reports(measured: VehicleDay, midnight: datetime, every_seconds: int) -> Iterator[Report]:
    columns = zip(
        measured.seconds.tolist(),
        measured.latitudes.tolist(),
        measured.longitudes.tolist(),
        measured.speeds_kph.tolist(),
        measured.courses_degrees.tolist(),
        measured.altitudes_meters.tolist(),
        measured.ignition.tolist(),
        strict=True,
    )
    last, driven = float("-inf"), 0.0
    for second, latitude, longitude, speed, course, altitude, ignition in columns:
        if second - last < every_seconds:
            continue
        driven += speed / 3.6 * min(second - last, 60.0)
        last = second
        at = (midnight + timedelta(seconds=second)).replace(microsecond=0)
        yield Report(at, latitude, longitude, speed, course, altitude, ignition, odometer_meters=round(driven))
