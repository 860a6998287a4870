"""Rows of positions: those newer than a device's state go straight into the table, the others by a staging table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tasks_app.ingest.fix import Fix
from tasks_app.models import DeviceState, Position
from tasks_app.services.positions.store import store_fixes

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def fixes(*seconds, device_id="van-1", **fields):
    return [Fix(device_id, NOON + timedelta(seconds=second), -23.5, -46.63, **fields) for second in seconds]


def stored_seconds(device):
    times = Position.objects.filter(device=device).order_by("fix_time").values_list("fix_time", flat=True)
    return [(at - NOON).total_seconds() for at in times]


def outcome(result):
    return result.stored, result.duplicates


def test_new_late_and_doubled_fixes_of_one_batch_are_told_apart(device):
    store_fixes(fixes(0, 20, 40), NOON)
    assert outcome(store_fixes(fixes(10, 20, 40, 60, 80), NOON)) == (3, 2)
    assert stored_seconds(device) == [0, 10, 20, 40, 60, 80]


def test_devices_of_one_batch_may_have_new_and_late_fixes(device, make_device):
    other = make_device(unique_id="van-2")
    store_fixes([*fixes(50), *fixes(50, device_id="van-2")], NOON)
    result = store_fixes([*fixes(60, 70), *fixes(40, 50, device_id="van-2")], NOON)
    assert outcome(result) == (3, 1)
    assert (stored_seconds(device), stored_seconds(other)) == ([50, 60, 70], [40, 50])


@pytest.mark.parametrize("former", [None, NOON + timedelta(seconds=15)], ids=["without a time", "behind its positions"])
def test_a_state_that_is_behind_the_positions_stores_none_twice(device, former):
    store_fixes(fixes(10, 20, 30), NOON)
    DeviceState.objects.filter(device=device).update(fix_time=former)
    assert outcome(store_fixes(fixes(20, 30, 40), NOON)) == (1, 2)
    assert stored_seconds(device) == [10, 20, 30, 40]


@pytest.mark.parametrize("second", [60, 0], ids=["straight", "staged"])
def test_absent_quantities_are_null(device, second):
    store_fixes(fixes(30), NOON)
    absent = {"altitude_meters": None, "speed_kph": None, "course_degrees": None, "accuracy_meters": None}
    cases = [absent, {**absent, "speed_kph": 7.0}, dict.fromkeys(absent, 5.0), {**absent, "attributes": {"sat": 9}}]
    sent = [fix for number, case in enumerate(cases) for fix in fixes(second + number, **case)]
    assert store_fixes(sent, NOON).stored == 4
    rows = Position.objects.filter(fix_time__in=[fix.fix_time for fix in sent]).order_by("fix_time")
    names = [*absent, "attributes"]
    assert list(rows.values(*names)) == [{"attributes": None, **case} for case in cases]
