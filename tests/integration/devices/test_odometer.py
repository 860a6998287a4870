"""The odometer counts what reports call driven: whatever the kind, the batches and their order, and whatever came late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.geo.days import day_parts
from tasks_app.geo.motion_rules import motion_rules
from tasks_app.ingest.fix import Fix
from tasks_app.models import (
    Device,
    DeviceDay,
    DeviceState,
    DirtyDay,
    FleetMembership,
    FleetRole,
    MaintenancePlan,
    Position,
)
from tasks_app.queries.device_days import day_totals
from tasks_app.queries.devices import latest_position
from tasks_app.services.devices.days import COMPUTE_EVERY, SETTLE, mark_all_days, refresh_due_days
from tasks_app.services.devices.odometer import set_odometer
from tasks_app.services.devices.servicing import check_plans
from tasks_app.services.positions.store import store_fixes
from tests.support.drawn_tracks import KINDS, drawn_tracks
from tests.support.figures import whole_figures
from tests.support.noise import legs, noisy

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 20, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def fixes_of(device: Device, track: Any) -> list[Fix]:
    times, latitudes, longitudes, speeds = track
    return [
        Fix(
            device.unique_id,
            datetime.fromtimestamp(seconds, UTC),
            latitude,
            longitude,
            speed_kph=None if np.isnan(kph) else kph,
        )
        for seconds, latitude, longitude, kph in zip(
            times.tolist(), latitudes.tolist(), longitudes.tolist(), speeds.tolist(), strict=True
        )
    ]


def without_speeds(columns: Any) -> Any:
    return *columns, np.full(len(columns[0]), np.nan)


def store(fixes: list[Fix]) -> None:
    store_fixes(fixes, NOW, announce=False)


def roll_up() -> None:
    """As the schedule does in the minutes that follow."""
    refresh_due_days(now=datetime.now(UTC) + SETTLE + COMPUTE_EVERY)


def engine_seconds(device: Device) -> float:
    return DeviceState.objects.get(device=device).engine_seconds


def reading(device: Device) -> float:
    return DeviceState.objects.get(device=device).odometer_meters


def reported_meters(device: Device) -> float:
    parts = day_parts(NOW - timedelta(days=60), NOW, device.fleet.zone)
    ((_device, days),) = day_totals([device], parts, now=NOW)
    return sum(day.figures.distance_meters for day in days)


@settings(max_examples=15)
@given(track=drawn_tracks(), kind=KINDS, data=st.data())
def test_in_whatever_batches_and_order_it_comes_to_what_reports_tell(fleet, track, kind, data):
    name = uuid4().hex
    device = Device.objects.create(fleet=fleet, unique_id=name, name=name, kind=kind)
    fixes = fixes_of(device, track)
    size = data.draw(st.integers(len(fixes) // 5 + 1, len(fixes)))
    for batch in data.draw(st.permutations([fixes[first : first + size] for first in range(0, len(fixes), size)])):
        store(batch)
        if data.draw(st.booleans()):
            roll_up()
    roll_up()
    expected = whole_figures(*track, rules=motion_rules(kind)).distance_meters
    assert reading(device) == pytest.approx(expected, abs=0.01)
    assert reported_meters(device) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("meters", "seconds"), [(5, 0), (5, 90), (15, 90), (30, 300)])
def test_a_parked_device_adds_nothing_however_its_position_strays_and_no_plan_is_due(device, meters, seconds):
    plan = MaintenancePlan.objects.create(
        device=device, name="oil", every_kilometers=1, last_done_at=NOW, last_done_odometer_meters=0
    )
    store(fixes_of(device, without_speeds(noisy(legs(1.0, (3600,)), meters, seconds))))
    roll_up()
    assert reading(device) == 0
    check_plans(now=NOW)
    plan.refresh_from_db()
    assert plan.status == "ok"


@pytest.mark.parametrize(("kind", "kph"), [("phone", 4), ("phone", 800), ("truck", 80), ("car", 50)])
def test_walks_and_flights_count_by_the_rules_of_the_kind(make_device, kind, kph):
    device = make_device(kind=kind)
    store(fixes_of(device, without_speeds(noisy(legs(10.0, (0, 4000 if kph < 10 else 100_000, kph)), 0, 1))))
    roll_up()
    assert reading(device) == pytest.approx(4000 if kph < 10 else 100_000, rel=0.01)


def drive_fixes(device: Device, hours: float = 0.0) -> list[Fix]:
    times, latitudes, longitudes = noisy(legs(10.0, (0, 10_000, 50)), 0, 1)
    return fixes_of(device, without_speeds((times + hours * 3600, latitudes + hours / 10, longitudes)))


def test_late_fixes_correct_it(device):
    fixes = drive_fixes(device)
    # the straight line over a hole is shorter than the way within it
    hole = [fix for fix in fixes if 20 <= fixes.index(fix) < 40]
    detour = [Fix(device.unique_id, fix.fix_time, fix.latitude, fix.longitude + 0.003) for fix in hole]
    store([fix for fix in fixes if fix not in hole])
    roll_up()
    straight = reading(device)
    store(detour)
    roll_up()
    assert reading(device) == pytest.approx(reported_meters(device), abs=0.01)
    assert reading(device) > straight + 300


def test_retention_does_not_shrink_it(device):
    store(drive_fixes(device))
    roll_up()
    before = reading(device)
    Position.objects.filter(device=device).delete()
    DeviceDay.objects.filter(device=device).delete()
    mark_all_days(Device.objects.filter(pk=device.pk))
    store(drive_fixes(device, hours=48))
    roll_up()
    assert reading(device) == pytest.approx(before + reported_meters(device), abs=0.01)
    assert reading(device) > 1.9 * before


def test_it_is_set_by_hand_and_goes_on_from_there(device):
    store(drive_fixes(device))
    # what was driven before is not added to the reading afterwards
    set_odometer(device, 123_000_000.0, now=NOW)
    roll_up()
    before = reported_meters(device)
    assert (reading(device), before) == (123_000_000.0, pytest.approx(10_000, rel=0.01))
    store(drive_fixes(device, hours=48))
    roll_up()
    assert reading(device) == pytest.approx(123_000_000 + reported_meters(device) - before, abs=0.01)
    latest = latest_position(device.pk)
    assert latest is not None
    assert latest["odometer_meters"] == reading(device)


def test_the_reading_of_a_device_never_heard_of_waits_for_its_first_fix(device):
    assert set_odometer(device, 5000.0, now=NOW).odometer_meters == 5000
    store(drive_fixes(device))
    roll_up()
    assert reading(device) == pytest.approx(5000 + reported_meters(device), abs=0.01)


def test_a_device_that_sends_all_the_time_is_rolled_up_within_two_minutes_and_then_every_ten(device):
    fixes, now = drive_fixes(device), datetime.now(UTC)
    store(fixes[:30])
    assert refresh_due_days(now=now)["days"] == 0
    assert refresh_due_days(now=now + 2 * MINUTE)["days"] == 1
    first = reading(device)
    store(fixes[30:])
    assert refresh_due_days(now=now + 4 * MINUTE)["days"] == 0
    assert reading(device) == first > 0
    assert refresh_due_days(now=now + 13 * MINUTE)["days"] == 1
    assert reading(device) == pytest.approx(10_000, rel=0.01)
    assert not DirtyDay.objects.exists()


def test_engine_hours_are_the_engine_time_of_reports_late_positions_included(device):
    """The ignition is sent on once, and not again in 15 hours, of which it counts for twelve."""
    start = NOW - timedelta(days=2)
    quiet = [Fix(device.unique_id, start + n * 30 * MINUTE, 0.1, -46.0, speed_kph=0.0) for n in range(31)]
    late = Fix(device.unique_id, start + 13 * HOUR + MINUTE, 0.1, -46.0, speed_kph=0.0, attributes={"ignition": True})
    store([msgspec.structs.replace(quiet[0], attributes={"ignition": True}), *quiet[1:]])
    roll_up()
    assert engine_seconds(device) == 12.5 * 3600
    store([late])
    roll_up()
    assert engine_seconds(device) == (12.5 + 2) * 3600 - 60
    set_odometer(device, 5000.0, now=NOW)
    assert (reading(device), engine_seconds(device)) == (
        5000,
        sum(row.engine_seconds for row in DeviceDay.objects.all()),
    )


def test_managers_set_it_over_the_api(api, operator, device):
    store(drive_fixes(device))
    address, body = f"/api/devices/{device.pk}/odometer", {"odometer_meters": 5000.5}
    assert api.put(address, body, format="json").status_code in (403, 404)
    FleetMembership.objects.filter(user=operator).update(role=FleetRole.MANAGER)
    assert api.put(address, {"odometer_meters": -1}, format="json").status_code == 400
    answer = api.put(address, body, format="json")
    assert (answer.status_code, answer.json()["odometer_meters"]) == (200, 5000.5)
    roll_up()
    assert reading(device) == 5000.5
