"""Days whose positions retention dropped: their roll-ups say what they said, and the days beside them go on from there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import Sum

from tasks_app.geo.days import day_parts, day_range
from tasks_app.geo.figures import FIGURE_NAMES
from tasks_app.models import Device, DeviceDay, DeviceState, DirtyDay, Event, Fleet, Position
from tasks_app.queries.device_days import day_totals
from tasks_app.services.devices.days import refresh_days
from tests.support.device_days import DAY, HOUR, KM, MIDNIGHT, MINUTE, NOW, fixes, refreshed_days, store

pytestmark = pytest.mark.django_db


def figures_of(row, names) -> dict[str, float]:
    return {name: getattr(row, name) for name in names}


OVER_MIDNIGHT = {
    "driven": {"minutes": 60},
    "driven by a device that sends no speed": {"minutes": 60, "kph": 90.0},
    "standing with the engine on": {"minutes": 60, "kph": 0.0},
    "carried while silent": {"minutes": 60, "every": 60 * MINUTE},
}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("drive", OVER_MIDNIGHT.values(), ids=OVER_MIDNIGHT)
def test_a_day_made_anew_keeps_what_came_over_midnight_from_a_day_that_is_dropped(device, drive, late):
    store(
        fixes(device, MIDNIGHT + 8 * HOUR, 30, longitude=-47.0),
        fixes(device, MIDNIGHT + 23.5 * HOUR + MINUTE / 4, **drive),
        fixes(device, MIDNIGHT + 30 * HOUR, 30, longitude=-44.0),
    )
    if drive == OVER_MIDNIGHT["driven by a device that sends no speed"]:
        Position.objects.update(speed_kph=None)
    before, second = refreshed_days(device), DAY + timedelta(days=1)
    reading = sums_of(device)
    Position.objects.filter(device=device, fix_time__lt=MIDNIGHT + 24 * HOUR).delete()
    if late:
        store(fixes(device, MIDNIGHT + 40 * HOUR, 0, kph=0.0, longitude=-44.0 + 30 * KM))
    else:
        DirtyDay.objects.create(device=device, day=second)
    after = refreshed_days(device)
    unchanged = {*FIGURE_NAMES, "trip_count"} - ({"fix_count", "stopped_seconds"} if late else set())
    assert figures_of(after[second], unchanged) == pytest.approx(figures_of(before[second], unchanged))
    assert after[second].previous_fix_at == before[second].previous_fix_at
    assert sums_of(device)["odometer_km"] == pytest.approx(reading["odometer_km"])
    assert after[DAY].distance_meters == before[DAY].distance_meters


def test_the_first_day_of_new_positions_goes_on_where_the_roll_ups_end(device):
    store(fixes(device, MIDNIGHT + 23.5 * HOUR, 29))
    refreshed_days(device)
    Position.objects.all().delete()
    store(fixes(device, MIDNIGHT + 24 * HOUR + MINUTE, 30, longitude=-46.0 + 31 * KM))
    second = refreshed_days(device)[DAY + timedelta(days=1)]
    assert second.distance_meters == pytest.approx(31_000, rel=1e-3)
    assert second.trip_count == 0


def a_week_cut_by_retention(device, *, nights: int = 7) -> dict[str, float]:
    """Eight days with a drive in the morning and one over midnight, of five of which only the position of an event is left."""
    store(
        *(
            fixes(device, MIDNIGHT + (24 * day + 8) * HOUR, 30, longitude=-46 + (0.9 if nights else 30 * KM) * day)
            for day in range(8)
        ),
        *(fixes(device, MIDNIGHT + (24 * day + 23.8) * HOUR, 30, longitude=-45.5 + 0.9 * day) for day in range(nights)),
    )
    refreshed_days(device)
    before = sums_of(device)
    kept = MIDNIGHT + 8 * HOUR + 10 * MINUTE
    Position.objects.filter(device=device, fix_time__lt=MIDNIGHT + 5 * 24 * HOUR - 3 * HOUR).exclude(
        fix_time=kept
    ).delete()
    return before


def sums_of(device) -> dict[str, float]:
    rows = DeviceDay.objects.filter(device=device)
    sums = rows.aggregate(km=Sum("distance_meters") / 1000, trips=Sum("trip_count"), fixes=Sum("fix_count"))
    odometer_meters = DeviceState.objects.values_list("odometer_meters", flat=True).get(device=device)
    return {**sums, "odometer_km": odometer_meters / 1000}


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_moving_to_another_zone_loses_nothing_that_retention_left_to_the_roll_ups(device, zone):
    """Of days whose positions are gone the position of an event was left, and their figures were made of it alone."""
    before = a_week_cut_by_retention(device)
    home, away = device.fleet, Fleet.objects.create(name="Away", time_zone=zone)
    for fleet in (away, home, away):
        device.fleet = fleet
        device.save()
        refreshed_days(Device.objects.select_related("fleet").get(pk=device.pk), DAY - timedelta(days=2))
        # A step over the border of what is gone may count on both sides.
        assert sums_of(device) == pytest.approx(before, abs=2.5)
        assert sums_of(device)["fixes"] == before["fixes"]


def test_events_of_days_that_are_kept_in_another_zone_are_counted_once(device):
    a_week_cut_by_retention(device)
    for hour in range(0, 7 * 24, 5):
        Event.objects.create(device=device, kind="device_offline", occurred_at=MIDNIGHT + hour * HOUR)
    DeviceDay.objects.update(event_counts={"device_offline": 5})
    device.fleet = Fleet.objects.create(name="Away", time_zone="Asia/Tokyo")
    device.save()
    parts = day_parts(MIDNIGHT - 3 * 24 * HOUR, MIDNIGHT + 12 * 24 * HOUR, device.fleet.zone)
    parts = [(day, *day_range(day, device.fleet.zone)) for day, _start, _end in parts]
    refresh_days([device], parts[0][0], parts[-1][0], now=NOW)
    ((_device, found),) = day_totals([device], parts, now=NOW)
    assert sum(each.events.get("device_offline", 0) for each in found) == Event.objects.count()


def test_the_line_to_a_position_of_an_event_is_no_way_where_the_positions_between_are_gone(device):
    before = a_week_cut_by_retention(device, nights=0)
    device.kind = "truck"
    device.save()
    refreshed_days(device)
    assert sums_of(device)["km"] == pytest.approx(before["km"], abs=2.5)
