"""A simulated fleet's fixes as its devices would send them: gaps, late fixes and duplicates included.

Everything follows from the seed. The movement itself is made in `tasks_app.geo.simulated_day`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from tasks_app.geo.simulated_city import DEVICE_LIMIT_KPH, NamedArea, named_areas
from tasks_app.geo.simulated_day import DAY_SECONDS, VehicleDay, vehicle_day
from tasks_app.ingest.fix import Fix

__all__ = ["DEVICE_LIMIT_KPH", "NamedArea", "day_of_fixes", "device_ids", "geofences", "live_fixes", "sent_fixes"]

DEFAULT_VEHICLES = 20
DEFAULT_SEED = 20_261_123
DUPLICATE_SHARE = 0.03
LIVE_BEGINS_AT = timedelta(hours=9)


def device_ids(vehicles: int = DEFAULT_VEHICLES) -> list[str]:
    """The unique identifiers of the simulated devices."""
    return [f"sim-{number:03d}" for number in range(1, vehicles + 1)]


def geofences() -> list[NamedArea]:
    """Areas the fleet really enters and leaves; with DEVICE_LIMIT_KPH as the devices' limit it also overspeeds."""
    return named_areas()


def day_of_fixes(
    vehicles: int = DEFAULT_VEHICLES, day: date | None = None, seed: int = DEFAULT_SEED, zone: tzinfo = UTC
) -> list[Fix]:
    """All fixes of the fleet's day in sending order, about 3 000 per vehicle; yesterday's when no day is given."""
    day = day or (datetime.now(zone).date() - timedelta(days=1))
    return [fix for _, fix in sent_fixes(vehicles, day, seed, zone)]


def sent_fixes(
    vehicles: int = DEFAULT_VEHICLES,
    day: date = date(2026, 1, 15),
    seed: int = DEFAULT_SEED,
    zone: tzinfo = UTC,
) -> list[tuple[datetime, Fix]]:
    """The same with the moment each fix is sent, ordered by it. The day begins at midnight in `zone`."""
    midnight = datetime.combine(day, time.min, zone).astimezone(UTC)
    sent: list[tuple[float, int, int, Fix]] = []
    for number, device_id in enumerate(device_ids(vehicles)):
        random = np.random.default_rng([seed, day.toordinal(), number])
        measured = vehicle_day(random, hurries=number % 3 == 1)
        fixes = _fixes(measured, device_id, midnight)
        at_seconds, indexes = _sending(measured, random)
        sent.extend(
            (at, number, place, fixes[index])
            for place, (at, index) in enumerate(zip(at_seconds.tolist(), indexes.tolist(), strict=True))
        )
    sent.sort(key=lambda entry: entry[:3])
    return [(midnight + timedelta(seconds=at), fix) for at, _, _, fix in sent]


def live_fixes(
    vehicles: int = DEFAULT_VEHICLES, *, start_at: datetime, seed: int = DEFAULT_SEED
) -> Iterator[tuple[datetime, Fix]]:
    """Endless (sent_at, Fix) from `start_at` on: nine in the morning of the first simulated day, its nights included.

    Moments are in UTC and ascending; the caller waits for each before sending.
    """
    day = date(2026, 1, 15)
    shift = start_at.astimezone(UTC) - datetime.combine(day, time.min, UTC) - LIVE_BEGINS_AT
    while True:
        for sent_at, fix in sent_fixes(vehicles, day, seed):
            if sent_at + shift >= start_at:
                yield sent_at + shift, _shifted(fix, shift)
        day += timedelta(days=1)


def _shifted(fix: Fix, shift: timedelta) -> Fix:
    return replace(fix, fix_time=fix.fix_time + shift)


def _fixes(measured: VehicleDay, device_id: str, midnight: datetime) -> list[Fix]:
    numbers = zip(
        measured.latitudes.tolist(),
        measured.longitudes.tolist(),
        measured.speeds_kph.tolist(),
        measured.courses_degrees.tolist(),
        measured.altitudes_meters.tolist(),
        measured.accuracies_meters.tolist(),
        strict=True,
    )
    times = [midnight + timedelta(seconds=second) for second in measured.seconds.tolist()]
    engine = zip(
        measured.ignition.tolist(), measured.battery_volts.tolist(), measured.fuel_percent.tolist(), strict=True
    )
    attributes = [{"ignition": on, "battery": volts, "fuel": percent} for on, volts, percent in engine]
    return [
        Fix(device_id, fix_time, latitude, longitude, speed, course, altitude, accuracy, extra)
        for fix_time, (latitude, longitude, speed, course, altitude, accuracy), extra in zip(
            times, numbers, attributes, strict=True
        )
    ]


def _sending(measured: VehicleDay, random: np.random.Generator) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """When which fix is sent: none from a tunnel, a dead zone's after it and out of order, some a second time."""
    seconds = measured.seconds.astype(np.float64)
    at = seconds + random.uniform(0.3, 2.5, len(seconds))
    lost = np.zeros(len(seconds), dtype=np.bool_)
    legs = random.permutation(len(measured.driving_spans))[: 3 + int(random.integers(2))]
    for place, leg in enumerate(legs.tolist()):
        begin, end = measured.driving_spans[leg]
        begin += random.uniform(0.2, 0.4) * (end - begin)
        length = random.uniform(60.0, 180.0) if place < 2 else random.uniform(240.0, 900.0)
        span = (seconds >= begin) & (seconds < min(begin + length, DAY_SECONDS - 600.0))
        if place < 2:
            lost |= span
        else:
            _hold_back(at, np.flatnonzero(span), random)
    kept = np.flatnonzero(~lost)
    duplicates = kept[random.random(len(kept)) < DUPLICATE_SHARE]
    indexes = np.concatenate([kept, duplicates])
    times = np.concatenate([at[kept], at[duplicates] + random.uniform(0.5, 40.0, len(duplicates))])
    order = np.argsort(times, kind="stable")
    return times[order], indexes[order]


def _hold_back(at: npt.NDArray[np.float64], held: npt.NDArray[np.intp], random: np.random.Generator) -> None:
    """Send the held fixes after the first fix that comes through again, in an order of their own."""
    if len(held) and held[-1] + 1 < len(at):
        at[held] = at[held[-1] + 1] + 2.0 + random.permutation(len(held)) * 0.4
