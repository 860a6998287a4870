"""A day of the simulated city, as one tracker measures it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo

from tasks_app.ingest.fix import Fix
from tasks_app.ingest.simulation import DEFAULT_SEED, device_ids, live_fixes, sent_fixes
from trackerproject.dev.simulated_trackers.base import Report


def day_of_reports(
    vehicle: int, vehicles: int, day: date, *, every_seconds: int, zone: tzinfo = UTC, seed: int = DEFAULT_SEED
) -> list[Report]:
    """Return what one of so many vehicles measures on a day, in time order, at most one report in `every_seconds`."""
    own = device_ids(vehicles)[vehicle]
    fixes = {fix.fix_time: fix for _, fix in sent_fixes(vehicles, day, seed, zone) if fix.device_id == own}
    reports: list[Report] = []
    driven = 0.0
    for at in sorted(fixes):
        since = (at - reports[-1].at).total_seconds() if reports else 0.0
        if reports and since < every_seconds:
            continue
        driven += (fixes[at].speed_kph or 0.0) / 3.6 * min(since, 60.0)
        reports.append(_report(fixes[at], round(driven)))
    return reports


def live_reports(vehicles: int, *, start_at: datetime, every_seconds: int) -> Iterator[tuple[datetime, int, Report]]:
    """Yield (when it is sent, number of the vehicle, report) without an end, each vehicle at most once in `every_seconds`."""
    numbers = {device_id: number for number, device_id in enumerate(device_ids(vehicles))}
    latest: dict[str, datetime] = {}
    for sent_at, fix in live_fixes(vehicles, start_at=start_at):
        last = latest.get(fix.device_id)
        if last is None or fix.fix_time - last >= timedelta(seconds=every_seconds):
            latest[fix.device_id] = fix.fix_time
            yield sent_at, numbers[fix.device_id], _report(fix, 0)


def _report(fix: Fix, odometer_meters: int) -> Report:
    return Report(
        at=fix.fix_time.replace(microsecond=0),
        latitude=fix.latitude,
        longitude=fix.longitude,
        speed_kph=fix.speed_kph or 0.0,
        course_degrees=fix.course_degrees or 0.0,
        altitude_meters=fix.altitude_meters or 0.0,
        ignition=bool(fix.attributes.get("ignition")),
        odometer_meters=odometer_meters,
    )
