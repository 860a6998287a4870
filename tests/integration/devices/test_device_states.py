"""States as the pipeline writes them: the quick way for a device that only moved, and the way for all that can change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tasks_app.ingest.fix import Fix
from tasks_app.models import DeviceState, DeviceStatus, Geofence
from tasks_app.services.positions import states as device_states
from tasks_app.services.positions.store import store_fixes

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db(transaction=True)


def fix(seconds=0.0, **said):
    return Fix("van-1", NOON + timedelta(seconds=seconds, microseconds=123_457), -23.5, -46.63, **said)


FULL = {"speed_kph": 40.5, "course_degrees": 90.0, "altitude_meters": 760.5, "accuracy_meters": 5.0}
SECOND_FIXES = [
    fix(5),
    fix(5, **FULL),
    fix(5, attributes={"ignition": True, "sat": 9}),
    fix(5, attributes={"ignition": False, "note": 'é "quoted" \\'}),
    fix(-5),
]


@pytest.mark.parametrize("second", SECOND_FIXES)
def test_a_device_that_only_moved_is_written_like_any_other(device, monkeypatch, second):
    def written():
        DeviceState.objects.all().delete()
        device.positions.all().delete()
        store_fixes([fix(0, **FULL, attributes={"ignition": False})], NOON)
        store_fixes([second], NOON + timedelta(minutes=1))
        (row,) = DeviceState.objects.values()
        return {name: value for name, value in row.items() if name not in ("updated_at", "overspeed_event_id")}

    quickly = written()
    monkeypatch.setattr(device_states, "_SETTLED", lambda state: object())
    assert written() == quickly
    assert (quickly["version"], quickly["status"]) == (2, DeviceStatus.ONLINE)


def test_a_geofence_that_is_gone_leaves_the_state_with_the_next_fix(device, fleet):
    area = {"type": "Circle", "coordinates": [-46.63, -23.5], "radius_meters": 500}
    gone, kept = (Geofence.objects.create(fleet=fleet, name=name, area=area) for name in ("Gone", "Kept"))
    store_fixes([fix(0)], NOON)
    assert DeviceState.objects.get().geofence_ids == [gone.pk, kept.pk]
    gone.delete()
    store_fixes([fix(10)], NOON)
    assert DeviceState.objects.get().geofence_ids == [kept.pk]
