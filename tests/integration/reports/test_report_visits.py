"""The report of visits: when a device was in which geofence."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from reports_app.builders.visits import Crossing, Visit, visits
from tasks_app.models import DeviceState, Event, EventKind, Fleet, Geofence
from tests.support.report_tracks import DAY, ELEVEN, ELSEWHERE, NEXT_DAY, build, fix, rows, store, totals

pytestmark = pytest.mark.django_db


def crossing(hour, name="Depot", *, enter=True, geofence_id=1):
    return Crossing(geofence_id, name, enter, DAY + timedelta(hours=hour))


def visit(entered, left, name="Depot", *, inside=False, geofence_id=1):
    timestamps = [None if hour is None else DAY + timedelta(hours=hour) for hour in (entered, left)]
    return Visit(geofence_id, name, *timestamps, inside)


@pytest.mark.parametrize(
    ("crossings", "inside", "expected"),
    [
        # In and out.
        ([crossing(1), crossing(2, enter=False)], {}, [visit(1, 2)]),
        # Still inside.
        ([crossing(1)], {1: "Depot"}, [visit(1, None, inside=True)]),
        # In, but not inside any more, and nobody saw it leave.
        ([crossing(1)], {}, [visit(1, None)]),
        # Out without an entry.
        ([crossing(2, enter=False)], {}, [visit(None, 2)]),
        # Two entries: the exit between them was not seen.
        ([crossing(1), crossing(3), crossing(4, enter=False)], {}, [visit(1, None), visit(3, 4)]),
        # Two geofences at once, in the order of their entries.
        (
            [crossing(1), crossing(2, "Yard", geofence_id=2), crossing(3, enter=False)],
            {2: "Yard"},
            [visit(1, 3), visit(2, None, "Yard", inside=True, geofence_id=2)],
        ),
        # Inside since before anybody remembers.
        ([], {1: "Depot"}, [visit(None, None, inside=True)]),
        # A deleted geofence is known by its name.
        (
            [crossing(1, "Old", geofence_id=None), crossing(2, "Old", enter=False, geofence_id=None)],
            {},
            [visit(1, 2, "Old", geofence_id=None)],
        ),
        ([], {}, []),
    ],
)
def test_crossings_become_visits(crossings, inside, expected):
    assert visits(crossings, inside) == expected


def test_a_visit_is_told_whole_and_counts_in_the_range_only_what_lies_in_it(device, fleet):
    depot = Geofence.objects.create(fleet=fleet, name="Depot", area=ELSEWHERE)
    for hour, kind in ((-5, "enter"), (2, "exit"), (20, "enter"), (50, "exit"), (60, "enter"), (61, "exit")):
        timestamp = DAY + timedelta(hours=hour)
        Event.objects.create(device=device, kind=f"geofence_{kind}", occurred_at=timestamp, geofence=depot)
    sections = build("visits", device, DAY, NEXT_DAY)
    before, across = rows(sections["visits"])
    assert (before["entered_at"], before["left_at"]) == (DAY - timedelta(hours=5), DAY + timedelta(hours=2))
    assert (before["duration_seconds"], before["in_range_seconds"]) == (7 * 3600, 2 * 3600)
    assert (across["duration_seconds"], across["in_range_seconds"]) == (30 * 3600, 4 * 3600)
    (depot_row,) = rows(sections["geofences"])
    assert (depot_row["visits"], depot_row["in_range_seconds"]) == (2, 6 * 3600)
    assert totals(sections["visits"])["in_range_seconds"] == 6 * 3600


@pytest.mark.parametrize("change", ["moved", "switched off"])
def test_a_silent_device_is_in_no_geofence_of_its_former_fleet_nor_in_one_that_is_off(device, fleet, change):
    depot = Geofence.objects.create(fleet=fleet, name="Depot", area=ELSEWHERE)
    store([fix(device, 0, 0.0)])
    DeviceState.objects.update(geofence_ids=[depot.pk])
    Event.objects.create(device=device, kind=EventKind.GEOFENCE_ENTER, occurred_at=ELEVEN, geofence=depot)
    assert [row["state"] for row in rows(build("visits", device)["visits"])] == ["Still inside"]
    if change == "moved":
        device.fleet = Fleet.objects.create(name="Elsewhere")
        device.save()
    else:
        Geofence.objects.update(is_active=False)
    assert [row["state"] for row in rows(build("visits", device)["visits"])] == ["Exit not seen"]


def test_a_visit_by_a_clock_that_is_ahead_lasts_no_negative_time(device, fleet):
    depot = Geofence.objects.create(fleet=fleet, name="Depot", area=ELSEWHERE)
    store([fix(device, 0, 0.0)])
    DeviceState.objects.update(geofence_ids=[depot.pk])
    now, day = timezone.now(), timedelta(days=1)
    entered_at = now + timedelta(hours=3)
    Event.objects.create(device=device, kind=EventKind.GEOFENCE_ENTER, occurred_at=entered_at, geofence=depot)
    (visit,) = rows(build("visits", device, now - day, now + day)["visits"])
    assert (visit["state"], visit["duration_seconds"], visit["in_range_seconds"]) == ("Still inside", 0, 0)


def test_visits_of_deleted_geofences_are_told_apart(device, fleet):
    for name, hours in (("Depot", (-3, 2)), ("Yard", (-2, 4))):
        geofence = Geofence.objects.create(
            fleet=fleet, name=name, area={"type": "Circle", "coordinates": [9.0, 9.0], "radius_meters": 100}
        )
        for hour, kind in zip(hours, (EventKind.GEOFENCE_ENTER, EventKind.GEOFENCE_EXIT), strict=True):
            at = DAY + timedelta(hours=hour)
            Event.objects.create(device=device, kind=kind, occurred_at=at, geofence=geofence, data={"geofence": name})
    Geofence.objects.all().delete()
    section = build("visits", device, DAY, DAY + timedelta(hours=1))["visits"]
    assert [(row["geofence"], row["duration_seconds"]) for row in rows(section)] == [
        ("Depot", 5 * 3600),
        ("Yard", 6 * 3600),
    ]
