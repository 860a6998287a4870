"""Made-up tracks of which the right figures are known, imported by the command and shown by reports and the odometer."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from tasks_app.ingest.fix import Fix
from tasks_app.models import Device, DeviceState, Event, EventKind, MaintenancePlan
from tasks_app.services.devices.days import refresh_due_days
from tasks_app.services.devices.live_trips import record_trips
from tasks_app.services.devices.servicing import check_plans
from tasks_app.services.devices.statistics import calculate_statistics
from tasks_app.services.positions.store import store_fixes
from tests.support.noise import START_SECONDS, legs, noisy
from tests.support.reports import build, rows_of, totals_of

pytestmark = pytest.mark.django_db

JULY = {"range_start": datetime(2026, 7, 1, tzinfo=UTC), "range_end": datetime(2026, 7, 3, tzinfo=UTC)}
JUNE = {"range_start": datetime(2026, 6, 9, tzinfo=UTC), "range_end": datetime(2026, 6, 12, tzinfo=UTC)}


@pytest.fixture
def cases(traces_dir) -> Path:
    folder = traces_dir / "truth_cases"
    if not folder.is_dir():
        pytest.skip(f"no {folder} (set TRACES_DIR)")
    return folder


def read(path: Path) -> None:
    call_command("import_positions", str(path), stdout=io.StringIO())
    refresh_due_days(now=timezone.now() + timedelta(hours=1))


@pytest.mark.parametrize(
    ("name", "kind", "kph"),
    [
        *[("f1-truck", "truck", 60), ("f1-van", "van", 60), ("f1-train", "phone", 310)],
        # These could be as fast as the glitch.
        *[("f1-truck", "car", 60), ("f1-van", "motorcycle", 60), ("f1-van", "phone", 60)],
    ],
)
def test_one_glitch_is_nowhere_the_top_and_a_train_has_its_own(name, kind, kph, cases, make_device):
    device = make_device(unique_id=name, kind=kind)
    read(cases / f"{name}.csv")
    found = figures_of_places(device)
    assert {place: top for place, (top, _, _) in found.items()} == dict.fromkeys(found, kph)
    for place, (top_kph, average_kph, distance_km) in found.items():
        assert (place, average_kph is None or kph * 0.999 <= average_kph <= top_kph) == (place, True)
        # The places were made on a sphere, and on the ellipsoid are up to 0.4 % nearer or farther than the speeds say.
        assert (place, distance_km) == (place, distance_km and pytest.approx(kph / 3, rel=0.004))


def figures_of_places(device: Device) -> dict[str, tuple[float, float | None, float | None]]:
    """Top and average speed and distance (km) of the device's drive, by where they are shown."""
    summary, trips = build("summary", device=device, **JULY), build("trips", device=device, **JULY)
    fleet, daily = build("fleet", device_ids=[device.pk], **JULY), build("daily", fleet=device.fleet, **JULY)
    route, detailed = build("route", device=device, **JULY), build("detailed", device=device, **JULY)
    rows = {
        "summary": rows_of(summary, "summary")[0],
        "its days": next(row for row in rows_of(summary, "days") if row["distance_km"]),
        "its total": totals_of(summary, "days"),
        "trips": rows_of(trips, "trips")[0],
        "its total of trips": totals_of(trips, "trips"),
        "fleet": rows_of(fleet, "devices")[0],
        "its total of devices": totals_of(fleet, "devices"),
        "daily": rows_of(daily, "devices")[0],
    }
    (top,) = [row for row in rows_of(route, "key_points") if row["point"] == "Top speed"]
    positions = totals_of(detailed, "positions")
    statistics = calculate_statistics(device_id=device.pk, period="7d", now=JULY["range_end"])
    record_trips(now=timezone.now() + timedelta(hours=1))
    trip = Event.objects.get(device=device, kind=EventKind.TRIP_END).data
    measured = {"statistics": statistics, "its end as an event": trip}
    return {
        **{place: _figures(row, row["distance_km"]) for place, row in rows.items()},
        **{place: _figures(found, found["distance_meters"] / 1000) for place, found in measured.items()},
        "route": (top["speed_kph"], None, None),
        "positions": (positions["speed_kph"], None, positions["distance_km"]),
    }


def _figures(row: dict[str, Any], distance_km: float) -> tuple[float, float | None, float]:
    return row["max_speed_kph"], row.get("average_speed_kph"), distance_km


def test_no_average_is_above_the_top_where_fixes_are_rare_then_dense(cases, make_device):
    device = make_device(unique_id="f4-town", kind="car")
    read(cases / "f4-town.csv")
    summary, trips = build("summary", device=device, **JULY), build("trips", device=device, **JULY)
    for row in [*rows_of(summary, "summary"), *rows_of(summary, "days"), *rows_of(trips, "trips")]:
        assert row["average_speed_kph"] <= row["max_speed_kph"]
    (row,) = rows_of(summary, "summary")
    assert (row["distance_km"], row["moving_seconds"] > 1800) == (pytest.approx(14.1, abs=0.1), True)


def test_a_parked_device_drives_no_meter(cases, make_device):
    devices = [make_device(unique_id=name, kind="car") for name in ("parked-5m", "parked-15m")]
    for device in devices:
        MaintenancePlan.objects.create(
            device=device, name="oil", every_kilometers=20, last_done_at=timezone.now(), last_done_odometer_meters=0
        )
    read(cases / "parked_noise_3h.csv.gz")
    check_plans(now=timezone.now())
    assert set(MaintenancePlan.objects.values_list("status", flat=True)) == {"ok"}
    for device in devices:
        assert DeviceState.objects.get(device=device).odometer_meters == 0
        (row,) = rows_of(build("summary", device=device, **JUNE), "summary")
        assert (row["distance_km"], rows_of(build("trips", device=device, **JUNE), "trips")) == (0, [])


@pytest.mark.parametrize(
    ("kind", "kph", "every"), [("phone", 4, 1.0), ("phone", 4, 10.0), ("phone", 4, 60.0), ("phone", 850, 30.0)]
)
def test_an_hour_on_foot_or_in_the_air_is_in_the_statistics_and_on_the_odometer(make_device, kind, kph, every):
    device = make_device(kind=kind)
    columns = noisy(legs(every, (60, kph * 1000, kph)), 0, 1)
    store(device, zip(*columns, strict=True))
    found = calculate_statistics(device_id=device.pk, period="24h", now=time_of(START_SECONDS + 7200))
    assert found["distance_meters"] == pytest.approx(kph * 1000, rel=0.02)
    assert found["moving_seconds"] == pytest.approx(3600, rel=0.02)
    assert DeviceState.objects.get(device=device).odometer_meters == pytest.approx(found["distance_meters"], rel=0.001)


@pytest.mark.parametrize("kind", ["car", "phone"])
def test_a_stop_with_fixes_on_both_sides_of_the_180th_meridian_is_there(make_device, kind):
    device = make_device(kind=kind)
    sides = (179.99999, -179.99999)
    store(device, [(START_SECONDS + 60 * number, -17.0, sides[number % 2]) for number in range(20)])
    report = build(
        "stops", device=device, range_start=time_of(START_SECONDS - 3600), range_end=time_of(START_SECONDS + 7200)
    )
    (row,) = rows_of(report, "stops")
    assert (row["latitude"], abs(row["longitude"])) == (pytest.approx(-17), pytest.approx(180, abs=1e-4))
    assert DeviceState.objects.get(device=device).odometer_meters == 0


def time_of(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def store(device: Device, rows: Iterable[tuple[float, float, float]]) -> None:
    """Store seconds and places of fixes without speeds."""
    fixes = [Fix(device.unique_id, time_of(float(at)), float(north), float(east)) for at, north, east in rows]
    assert store_fixes(fixes, fixes[-1].fix_time, announce=False).stored == len(fixes)
    refresh_due_days(now=timezone.now() + timedelta(hours=1))
