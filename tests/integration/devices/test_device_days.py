"""Roll-ups: what they say is what the positions say, computed for dirty days only, and kept when positions go."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tasks_app.geo.days import day_parts, day_range
from tasks_app.models import Device, DeviceDay, DeviceState, DirtyDay, Event, Fleet, Position
from tasks_app.queries.device_days import day_totals, odometer_at, part_totals
from tasks_app.services.devices.days import SETTLE, mark_all_days, refresh_days, refresh_due_days
from tests.support.device_days import DAY, HOUR, KM, MIDNIGHT, MINUTE, NOW, fixes, refreshed_days, store

pytestmark = pytest.mark.django_db


def later() -> datetime:
    return datetime.now(UTC) + SETTLE + MINUTE


def some_days(device) -> None:
    """Two drives on Monday, one over the midnight to Tuesday, silence, and a drive on Friday from elsewhere."""
    store(
        fixes(device, MIDNIGHT + 8 * HOUR, 30),
        fixes(device, MIDNIGHT + 9.2 * HOUR, 20, longitude=-45.7),
        fixes(device, MIDNIGHT + 10 * HOUR, 20, kph=0.0, longitude=-45.5),
        fixes(device, MIDNIGHT + 23.5 * HOUR, 60, longitude=-45.5),
        fixes(device, MIDNIGHT + 24.6 * HOUR, 30, kph=0.0, longitude=-44.6, ignition=False),
        fixes(device, MIDNIGHT + 4 * 24 * HOUR + 5 * HOUR, 45, longitude=-40.0),
    )


def test_roll_ups_say_what_the_positions_say(device):
    some_days(device)
    Event.objects.create(device=device, kind="overspeed", occurred_at=MIDNIGHT + 9 * HOUR)
    parts = day_parts(MIDNIGHT - 24 * HOUR, MIDNIGHT + 6 * 24 * HOUR, device.fleet.zone)
    refresh_days([device], parts[0][0], parts[-1][0], now=NOW)
    ((_device, rolled_up),) = day_totals([device], parts, now=NOW)
    assert rolled_up == [part_totals(device, part) for part in parts]
    assert [each.trips for each in rolled_up] == [0, 3, 0, 0, 0, 1, 0]
    assert [each.figures.fix_count > 0 for each in rolled_up] == [False, True, True, False, False, True, False]
    assert rolled_up[1].events["overspeed"] == 1


def test_days_of_another_zone_are_read_several_at_once_and_say_what_each_says(device, django_assert_max_num_queries):
    some_days(device)
    parts = day_parts(MIDNIGHT - 20 * HOUR, MIDNIGHT + 8 * 24 * HOUR, ZoneInfo("Asia/Kathmandu"))
    Event.objects.create(device=device, kind="overspeed", occurred_at=parts[2][1])
    with django_assert_max_num_queries(14):
        ((_device, found),) = day_totals([device], parts, now=NOW)
    assert found == [part_totals(device, part) for part in parts]
    assert [each.trips for each in found] == [0, 2, 1, 0, 0, 1, 0, 0, 0, 0]
    assert [each.events.get("overspeed", 0) for each in found] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]


def test_a_day_is_the_same_however_its_fixes_arrived(device, make_device):
    other = make_device()
    some_days(device)
    at_once = refreshed_days(device)
    everything = [
        *fixes(other, MIDNIGHT + 23.5 * HOUR, 60, longitude=-45.5),
        *fixes(other, MIDNIGHT + 24.6 * HOUR, 30, kph=0.0, longitude=-44.6, ignition=False),
    ]
    # first Friday, then the night in pieces of which some come late, then Monday morning
    store(fixes(other, MIDNIGHT + 4 * 24 * HOUR + 5 * HOUR, 45, longitude=-40.0))
    refreshed_days(other)
    for offset in (2, 0, 3, 1):
        store(everything[offset::4])
        refreshed_days(other)
    store(
        fixes(other, MIDNIGHT + 8 * HOUR, 30),
        fixes(other, MIDNIGHT + 9.2 * HOUR, 20, longitude=-45.7),
        fixes(other, MIDNIGHT + 10 * HOUR, 20, kph=0.0, longitude=-45.5),
    )
    piecewise = refreshed_days(other)
    # late fixes raise no events
    others = {"id", "device", "computed_at", "event_counts"}
    names = [field.name for field in DeviceDay._meta.fields if field.name not in others]
    for day, row in at_once.items():
        for name in names:
            found, expected = getattr(piecewise[day], name), getattr(row, name)
            assert found == (pytest.approx(expected) if isinstance(expected, float) else expected), name
    assert piecewise.keys() == at_once.keys()


def test_only_dirty_days_are_computed(device):
    some_days(device)
    refreshed_days(device)
    assert not DirtyDay.objects.exists()
    before = dict(DeviceDay.objects.values_list("day", "computed_at"))
    store(fixes(device, MIDNIGHT + 5 * 24 * HOUR - 2 * HOUR, 30))
    refresh_due_days(now=later())
    changed = [day for day, at in DeviceDay.objects.values_list("day", "computed_at") if before.get(day) != at]
    assert changed == [date(2026, 3, 6)]


def test_the_task_leaves_a_day_that_got_dirty_just_now_for_later(device):
    some_days(device)
    assert refresh_due_days(now=datetime.now(UTC))["days"] == 0
    assert refresh_due_days(now=later()) == {"days": 3, "devices": 1, "failed": 0, "left": 0}


def test_a_fix_stored_while_its_day_is_computed_leaves_it_dirty(device, monkeypatch):
    some_days(device)
    module = "tasks_app.services.devices.days"
    from tasks_app.services.devices import days as device_days

    original = device_days.read_drive

    def read_and_be_overtaken(*args):
        drive = original(*args)
        if not Position.objects.filter(device=device, fix_time=MIDNIGHT + 12 * HOUR).exists():
            store(fixes(device, MIDNIGHT + 12 * HOUR, 0))
        return drive

    monkeypatch.setattr(f"{module}.read_drive", read_and_be_overtaken)
    refresh_due_days(now=later())
    assert list(DirtyDay.objects.values_list("day", "claimed_at")) == [(DAY, None)]
    assert (
        refreshed_days(device)[DAY].fix_count
        == Position.objects.filter(device=device, fix_time__lt=MIDNIGHT + 24 * HOUR).count()
    )


def test_one_device_that_fails_does_not_keep_the_others_from_being_computed(device, make_device, monkeypatch):
    other = make_device()
    some_days(device)
    some_days(other)
    from tasks_app.services.devices import days as device_days

    original = device_days.read_drive

    def fail_for_one(one, *args):
        if one.pk == device.pk:
            raise ValueError("broken")
        return original(one, *args)

    monkeypatch.setattr(device_days, "read_drive", fail_for_one)
    counts = refresh_due_days(now=later())
    assert (counts["devices"], counts["failed"]) == (1, 1)
    assert set(DirtyDay.objects.values_list("device_id", flat=True)) == {device.pk}


def test_dropping_positions_leaves_their_roll_ups(device):
    some_days(device)
    before = refreshed_days(device)
    Position.objects.filter(device=device, fix_time__lt=MIDNIGHT + 9 * HOUR).delete()
    Event.objects.all().delete()
    DirtyDay.objects.create(device=device, day=DAY)
    mark_all_days(Device.objects.filter(pk=device.pk))
    after = refreshed_days(device)
    assert after[DAY].distance_meters == before[DAY].distance_meters > 0
    assert after[DAY].trip_count == before[DAY].trip_count


def walk_on_two_days(device) -> None:
    """Half an hour of 4 km/h on Monday and on Thursday."""
    store(
        fixes(device, MIDNIGHT + 8 * HOUR, 30, kph=4.0),
        fixes(device, MIDNIGHT + 80 * HOUR, 30, kph=4.0, longitude=-46.0 + 2 * KM),
    )


def test_another_kind_changes_every_day_the_oldest_too(device):
    walk_on_two_days(device)
    assert {row.distance_meters for row in refreshed_days(device).values()} == {0.0}
    device.kind = "phone"
    device.save()
    days = refreshed_days(device)
    assert [round(days[day].distance_meters, -2) for day in sorted(days)] == [2000, 2000]
    assert [days[day].trip_count for day in sorted(days)] == [1, 1]


def test_another_kind_leaves_the_day_alone_that_retention_cut(device):
    walk_on_two_days(device)
    refreshed_days(device)
    Position.objects.filter(device=device, fix_time__lt=MIDNIGHT + 8.2 * HOUR).delete()
    device.kind = "phone"
    device.save()
    days = refreshed_days(device)
    assert [round(days[day].distance_meters, -2) for day in sorted(days)] == [0, 2000]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles"])
@pytest.mark.parametrize("hours", [0.5, 12, 22])
def test_another_time_zone_moves_the_oldest_day(device, fleet, zone, hours):
    store(fixes(device, MIDNIGHT + hours * HOUR, 60))
    refreshed_days(device)
    fleet.time_zone = zone
    fleet.save()
    moved = Device.objects.select_related("fleet").get(pk=device.pk)
    days = refreshed_days(moved, DAY - timedelta(days=2))
    whole_meters = pytest.approx(60_000, rel=1e-3)
    assert sum(row.distance_meters for row in days.values()) == whole_meters
    assert {row.time_zone for row in days.values()} == {zone}


def test_another_time_zone_moves_the_days(device, fleet):
    some_days(device)
    refreshed_days(device)
    fleet.time_zone = "Asia/Tokyo"
    fleet.save()
    assert DirtyDay.objects.exists()
    tokyo = Fleet.objects.get(pk=fleet.pk).zone
    moved = Device.objects.select_related("fleet").get(pk=device.pk)
    parts = [(day, *day_range(day, tokyo)) for day in (date(2026, 3, 3), date(2026, 3, 4), date(2026, 3, 5))]
    refresh_days([moved], parts[0][0], parts[-1][0], now=NOW)
    ((_device, rolled_up),) = day_totals([moved], parts, now=NOW)
    assert rolled_up == [part_totals(moved, part) for part in parts]


@pytest.mark.parametrize("change", [{"kind": "phone"}, {"fleet": None}])
def test_another_kind_or_fleet_makes_the_days_dirty(device, change):
    some_days(device)
    refreshed_days(device)
    device.name = "renamed"
    device.save()
    assert not DirtyDay.objects.exists()
    for name, value in change.items():
        setattr(device, name, value or Fleet.objects.create(name="Elsewhere", time_zone="UTC"))
    device.save()
    assert DirtyDay.objects.filter(device=device, day=date(2026, 3, 6)).exists()


def test_an_event_without_a_fix_counts_in_its_day(device):
    some_days(device)
    refreshed_days(device)
    Event.objects.create(device=device, kind="device_offline", occurred_at=MIDNIGHT + 3 * 24 * HOUR)
    parts = day_parts(MIDNIGHT, MIDNIGHT + 5 * 24 * HOUR, device.fleet.zone)
    ((_device, found),) = day_totals([device], parts, now=NOW)
    assert [each.events.get("device_offline", 0) for each in found] == [0, 0, 0, 1, 0]


@pytest.mark.parametrize("zone", ["CET", "Europe/Berlin", "Asia/Kathmandu"])
def test_an_event_counts_in_its_day_by_the_zone_and_not_by_a_namesake_of_the_database(device, fleet, zone):
    """To PostgreSQL CET is an hour ahead of UTC in summer, too: what happened just after midnight was of the day before."""
    fleet.time_zone = zone
    fleet.save()
    days = [date(2026, 7, 1), date(2026, 7, 2), date(2026, 7, 3)]
    parts = [(day, *day_range(day, fleet.zone)) for day in days]
    for at in (parts[1][1], parts[1][2] - MINUTE, parts[1][2]):
        Event.objects.create(device=device, kind="device_offline", occurred_at=at)
    ((_device, found),) = day_totals([Device.objects.get(pk=device.pk)], parts, now=NOW + 365 * 24 * HOUR)
    assert [each.events.get("device_offline", 0) for each in found] == [0, 2, 1]


def test_the_odometer_of_a_moment_in_the_past_is_the_newest_one_less_the_way_since(device):
    some_days(device)
    refreshed_days(device)
    newest = DeviceState.objects.get(device=device).odometer_meters
    friday = part_totals(device, (DAY, MIDNIGHT + 4 * 24 * HOUR, NOW)).figures.distance_meters
    assert odometer_at(device, NOW) == newest
    assert odometer_at(device, MIDNIGHT + 4 * 24 * HOUR) == pytest.approx(newest - friday)
    # half an hour into the drive of the night
    night = part_totals(device, (DAY, MIDNIGHT + 24 * HOUR, NOW)).figures.distance_meters
    assert odometer_at(device, MIDNIGHT + 24 * HOUR) == pytest.approx(newest - night)


def test_a_device_never_seen_has_no_odometer(device):
    assert odometer_at(device, NOW) is None
