"""Each kind of device has rules of its own, and every place that tells a figure goes by them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from notifications_app.queries.summary import fleet_summaries
from tasks_app.ingest.fix import Fix
from tasks_app.models import DeviceDay, Event
from tasks_app.services.devices.days import refresh_due_days
from tasks_app.services.devices.statistics import calculate_statistics
from tasks_app.services.positions.store import store_fixes
from tests.support.reports import DAY, ELEVEN, NEXT_DAY, build, rows_of, totals_of

pytestmark = pytest.mark.django_db

METERS_PER_DEGREE = 111_319.49
# For 20 minutes a fix every 10 s with this speed, one of them with a glitch of the receiver: kind, km/h, glitch, right top.
DRIVES = [
    ("truck", 60.0, 255.0, 60.0),
    ("van", 60.0, 280.0, 60.0),
    ("car", 60.0, 310.0, 60.0),
    ("motorcycle", 60.0, 310.0, 60.0),
    ("other", 60.0, 310.0, 60.0),
    ("phone", 310.0, 310.0, 310.0),
    ("phone", 60.0, 1300.0, 60.0),
    ("phone", 60.0, 900.0, 60.0),
    ("phone", 4.0, 4.0, 4.0),
]


def send(device, kph, glitch_kph) -> None:
    """Drive east along the equator from eleven o'clock, standing for five minutes before and after."""
    fixes = []
    for second in range(-300, 1501, 10):
        moved_seconds = min(max(second, 0), 1200)
        speed_kph = glitch_kph if second == 600 else kph if 0 < second < 1200 else 0.0
        longitude = -46.0 + moved_seconds * kph / 3.6 / METERS_PER_DEGREE
        fixes.append(Fix(device.unique_id, ELEVEN + timedelta(seconds=second), 0.0, longitude, speed_kph=speed_kph))
    assert store_fixes(fixes, received_at=ELEVEN + timedelta(hours=1)).stored == len(fixes)


def figures_of_places(device) -> dict[str, tuple[float | None, float | None]]:
    """Top speed and distance (km) by where they are shown."""
    one_day = {"range_start": DAY, "range_end": NEXT_DAY}
    summary, trips = build("summary", device=device, **one_day), build("trips", device=device, **one_day)
    fleet, daily = build("fleet", device_ids=[device.pk], **one_day), build("daily", fleet=device.fleet, **one_day)
    detailed, route = build("detailed", device=device, **one_day), build("route", device=device, **one_day)
    statistics = calculate_statistics(device_id=device.pk, period="24h", now=NEXT_DAY)
    day = DeviceDay.objects.get(device=device, fix_count__gt=0)
    tables = {
        "summary": rows_of(summary, "summary")[0],
        "its days": rows_of(summary, "days")[0],
        "its total": totals_of(summary, "days"),
        "trips": rows_of(trips, "trips")[0],
        "its total of trips": totals_of(trips, "trips"),
        "fleet": rows_of(fleet, "devices")[0],
        "its total of devices": totals_of(fleet, "devices"),
        "its days of devices": rows_of(fleet, "days")[0],
        "daily": rows_of(daily, "devices")[0],
    }
    found = {name: (row["max_speed_kph"], row["distance_km"]) for name, row in tables.items()}
    total = totals_of(detailed, "positions")
    (top,) = [row for row in rows_of(route, "key_points") if row["point"] == "Top speed"]
    return found | {
        "detailed": (total["speed_kph"], total["distance_km"]),
        "route": (top["speed_kph"], None),
        "statistics": (statistics["max_speed_kph"], statistics["distance_meters"] / 1000),
        "roll-up": (day.max_speed_kph, day.distance_meters / 1000),
    }


@pytest.mark.parametrize(("kind", "kph", "glitch_kph", "top_kph"), DRIVES)
def test_every_place_tells_the_figures_of_the_kind(make_device, kind, kph, glitch_kph, top_kph):
    device = make_device(kind=kind)
    send(device, kph, glitch_kph)
    found = figures_of_places(device)
    tops, ways = {name: top for name, (top, _) in found.items()}, {name: way for name, (_, way) in found.items()}
    assert tops == dict.fromkeys(found, pytest.approx(top_kph, abs=0.06))
    way_km = pytest.approx(kph / 3, rel=0.01)
    assert ways == {name: None if way is None else way_km for name, way in ways.items()}


@pytest.mark.parametrize(("kind", "kph"), [("phone", 4.0), ("phone", 850.0), ("truck", 60.0)])
def test_the_daily_summary_measures_by_the_rules_of_the_kind(make_device, operator, kind, kph):
    send(make_device(kind=kind), kph, kph)
    (summary,) = fleet_summaries(operator, now=NEXT_DAY)
    assert summary.distance_kilometers == pytest.approx(kph / 3, rel=0.01)


@pytest.mark.parametrize(("kind", "is_moving"), [("phone", True), ("car", False)])
def test_whether_a_device_moves_now_depends_on_its_kind(make_device, kind, is_moving):
    device = make_device(kind=kind)
    times = [ELEVEN + timedelta(seconds=second) for second in range(0, 60, 10)]
    store_fixes([Fix(device.unique_id, at, 0.0, -46.0, speed_kph=4.0) for at in times], received_at=times[-1])
    device.state.refresh_from_db()
    assert device.state.is_moving is is_moving


def test_the_odometer_of_a_truck_believes_no_step_of_a_car(make_device):
    # 5 km in a minute are 300 km/h.
    fixes = {kind: make_device(kind=kind) for kind in ("truck", "phone")}
    for device in fixes.values():
        places = [(0, 0.0), (60, 5000.0)]
        track = [
            Fix(
                device.unique_id,
                ELEVEN + timedelta(seconds=second),
                0.0,
                -46.0 + meters / METERS_PER_DEGREE,
                speed_kph=90.0,
            )
            for second, meters in places
        ]
        store_fixes(track, received_at=ELEVEN + timedelta(hours=1))
        refresh_due_days(now=timezone.now() + timedelta(hours=1))
        device.state.refresh_from_db()
    assert fixes["truck"].state.odometer_meters == 0
    assert fixes["phone"].state.odometer_meters == pytest.approx(5000, rel=1e-3)


def test_one_glitch_of_a_sent_speed_is_no_overspeed_and_no_peak(make_device):
    glitch, fast = make_device(kind="phone", speed_limit_kph=90), make_device(kind="phone", speed_limit_kph=50)
    for device in (glitch, fast):
        send(device, 60.0, 900.0)
    assert not Event.objects.filter(device=glitch, kind="overspeed").exists()
    (event,) = Event.objects.filter(device=fast, kind="overspeed")
    assert event.data["peak_kph"] == 60
