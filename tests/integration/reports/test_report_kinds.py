"""Each kind of report on a track small enough to check by hand: positions, route, overspeed, fuel, stops."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from reports_app.builders import base
from reports_app.exceptions import InvalidReport
from tasks_app.ingest.fix import Fix
from tasks_app.models import Event, EventKind, Geofence
from tasks_app.services.positions.store import store_fixes
from tests.support.report_tracks import (
    DAY,
    ELEVEN,
    LATER,
    MINUTE,
    NEXT_DAY,
    STEP_DEGREES,
    STEP_KM,
    STEP_KPH,
    build,
    drive,
    fix,
    rows,
    store,
    totals,
)

pytestmark = pytest.mark.django_db


# --- positions in detail


def test_it_tells_every_position_and_the_way_from_the_one_before(device):
    store([*drive(device, ignition=True, batteryLevel=80), fix(device, 11, 0.1, kph=0.0, ignition=False)])
    section = build("detailed", device)["positions"]
    first, second, *_others, last = rows(section)
    assert second == {
        "fix_time": ELEVEN + MINUTE,
        "latitude": 0.0,
        "longitude": -45.99,
        "altitude_meters": 701,
        "speed_kph": 66.8,
        "mean_speed_kph": 66.8,
        "course_degrees": 90.0,
        "distance_km": 1.113,
        "odometer_km": 1.113,
        "motion": "Moving",
        "ignition": "On",
        "geofences": None,
        "battery_percent": 80,
        "accuracy_meters": None,
    }
    assert (first["distance_km"], first["odometer_km"], first["motion"]) == (0, 0, "Standing")
    assert (last["distance_km"], last["motion"], last["ignition"]) == (0, "Standing", "Off")
    assert last["odometer_km"] == pytest.approx(10 * STEP_KM, abs=0.001)
    assert totals(section)["distance_km"] == pytest.approx(10 * STEP_KM, abs=0.001)
    assert totals(section)["speed_kph"] == 66.8


def test_a_position_says_the_same_whatever_range_is_asked(device):
    store(drive(device, minutes=30))
    whole = rows(build("detailed", device)["positions"])
    start = ELEVEN + 9.5 * MINUTE
    part = rows(build("detailed", device, start, start + 10 * MINUTE)["positions"])
    assert part == whole[10:20]


def test_positions_of_many_days_keep_their_odometer(device):
    for day in range(3):
        timestamp = ELEVEN + timedelta(days=day)
        store_fixes(
            [Fix(device.unique_id, timestamp + n * MINUTE, 0.0, -46 + n * 0.01, speed_kph=60.0) for n in range(11)],
            timestamp,
        )
    found = rows(build("detailed", device, DAY, DAY + timedelta(days=3))["positions"])
    odometers = [row["odometer_km"] for row in found]
    assert len(found) == 33
    assert odometers == sorted(odometers)
    # 10 steps a day, and the straight way back in the nights
    assert odometers[-1] == pytest.approx(50 * STEP_KM, rel=0.001)


def test_a_position_that_cannot_be_is_told_as_such(device):
    fixes = drive(device)
    fixes[5] = fix(device, 5, 9.0, kph=STEP_KPH)
    store_fixes(fixes, ELEVEN, announce=False)
    found = rows(build("detailed", device)["positions"])
    assert [row["motion"] for row in found].count("Not believable") <= 1
    assert totals(build("detailed", device)["positions"])["distance_km"] == pytest.approx(10 * STEP_KM, abs=0.01)


def test_it_names_the_geofences_around_a_position(device, fleet):
    around = {"type": "Circle", "coordinates": [-45.95, 0.0], "radius_meters": 1500}
    Geofence.objects.create(fleet=fleet, name="Depot", area=around)
    Geofence.objects.create(fleet=fleet, name="Yard", area={**around, "radius_meters": 500})
    store(drive(device))
    found = [row["geofences"] for row in rows(build("detailed", device)["positions"])]
    assert found == [None] * 4 + ["Depot", "Depot, Yard", "Depot"] + [None] * 4


def test_detailed_loses_no_way_at_midnight(device):
    timestamps = [NEXT_DAY + (n + 0.5) * MINUTE for n in range(-5, 5)]
    track = [
        Fix(device.unique_id, at, 0.0, -46.0 + n * STEP_DEGREES, speed_kph=STEP_KPH) for n, at in enumerate(timestamps)
    ]
    store_fixes(track, LATER)
    positions = build("detailed", device)["positions"]
    odometers = [row["odometer_km"] for row in rows(positions)]
    assert np.diff(odometers) == pytest.approx([STEP_KM] * 9, rel=0.001)
    assert totals(positions)["distance_km"] == pytest.approx(9 * STEP_KM, rel=0.001)


@pytest.mark.parametrize(("first", "last"), [(-20, 20), (2.5, 6.5), (4.2, 4.8), (-20, 0.5), (9.5, 20)])
def test_the_totals_of_positions_are_those_of_the_summary_of_the_same_range(device, first, last):
    store(drive(device, ignition=True))
    span = (ELEVEN + first * MINUTE, ELEVEN + last * MINUTE)
    whole, found = (
        totals(build("summary", device, *span)["days"]),
        totals(build("detailed", device, *span)["positions"]),
    )
    assert (found["distance_km"], found["speed_kph"]) == (whole["distance_km"], whole["max_speed_kph"])
    assert found["distance_km"] == pytest.approx((min(last, 10) - max(first, 0)) * STEP_KM, rel=0.001)


# --- route


def test_the_route_is_the_line_and_its_key_points(device):
    standing = [fix(device, 10 + n, 0.1, kph=0.0, altitude=500) for n in range(1, 20)]
    store([*drive(device), *standing])
    sections = build("route", device)
    path = rows(sections["route"])
    assert (path[0]["longitude"], path[-1]["longitude"]) == pytest.approx((-46.0, -45.9))
    points = {row["point"]: row for row in rows(sections["key_points"])}
    assert points["Start"]["passed_at"] == ELEVEN
    assert points["End"]["passed_at"] == ELEVEN + 29 * MINUTE
    assert points["Westernmost point"]["longitude"] == pytest.approx(-46.0)
    assert points["Highest point"]["altitude_meters"] == 710
    assert points["Top speed"]["speed_kph"] == pytest.approx(66.8)
    assert points["Stop"]["duration_seconds"] == 19 * 60
    times = [row["passed_at"] for row in rows(sections["key_points"])]
    assert times == sorted(times)


# --- stops


def test_a_stop_is_idle_where_the_engine_ran_for_most_of_it(device):
    def stop(begin, ignition):
        return [fix(device, begin + n, 0.1 if begin < 35 else 0.2, kph=0.0, ignition=ignition) for n in range(1, 15)]

    second = [fix(device, 25 + n, 0.1 + n * STEP_DEGREES, kph=STEP_KPH, ignition=True) for n in range(1, 11)]
    store([*drive(device, ignition=True), *stop(10, True), *second, *stop(35, False)])
    section = build("stops", device)["stops"]
    assert [row["kind"] for row in rows(section)] == ["Idle", "Parked"]
    idle, parked = rows(section)
    assert idle["engine_seconds"] == pytest.approx(idle["duration_seconds"], abs=61)
    assert parked["idle_seconds"] <= 60
    assert totals(section)["engine_seconds"] == idle["engine_seconds"] + parked["engine_seconds"]


# --- overspeed


def test_overspeeds_are_told_whole_and_per_day(device, fleet):
    def overspeed(hour, **data):
        Event.objects.create(
            device=device, kind=EventKind.OVERSPEED, occurred_at=DAY + timedelta(hours=hour), data=data
        )

    ended = (DAY + timedelta(hours=5, minutes=2)).isoformat()
    overspeed(5, speed_limit_kph=90.0, speed_kph=97.0, peak_kph=120.0, ended_at=ended, duration_seconds=120.0)
    overspeed(30, speed_limit_kph=90.0, peak_kph=100.0, ended_at=DAY.isoformat(), duration_seconds=60.0)
    overspeed(-40, speed_limit_kph=90.0, peak_kph=100.0, ended_at=(DAY - timedelta(hours=39)).isoformat())
    sections = build("overspeed", device)
    first, second = rows(sections["overspeeds"])
    assert (first["excess_kph"], first["duration_seconds"], first["ended_at"].isoformat()) == (30, 120, ended)
    assert totals(sections["overspeeds"])["peak_kph"] == 120
    assert [(row["day"], row["overspeeds"], row["duration_seconds"]) for row in rows(sections["days"])] == [
        (date(2026, 3, 2), 1, 120),
        (date(2026, 3, 3), 1, 60),
    ]
    assert second["peak_kph"] == 100


def test_an_overspeed_over_midnight_is_told_on_both_days_and_counts_on_the_first(device):
    """As it does in the summary: the days of a month add up."""
    data = {"speed_limit_kph": 90.0, "peak_kph": 100.0, "duration_seconds": 600.0}
    began, ended = NEXT_DAY - timedelta(minutes=5), NEXT_DAY + timedelta(minutes=5)
    Event.objects.create(
        device=device, kind=EventKind.OVERSPEED, occurred_at=began, data={**data, "ended_at": ended.isoformat()}
    )
    for start, end, count in ((DAY, NEXT_DAY, 1), (NEXT_DAY, LATER, 0)):
        sections = build("overspeed", device, start, end)
        assert len(rows(sections["overspeeds"])) == 1
        assert [row["overspeeds"] for row in rows(sections["days"])] == [count]
        assert totals(sections["days"])["overspeeds"] == count


def test_an_overspeed_that_goes_on_has_no_end(device):
    Event.objects.create(
        device=device, kind=EventKind.OVERSPEED, occurred_at=DAY, data={"speed_kph": 99.0, "speed_limit_kph": 90.0}
    )
    (row,) = rows(build("overspeed", device)["overspeeds"])
    assert (row["ended_at"], row["peak_kph"]) == (None, 99)
    assert row["duration_seconds"] > 0


# --- fuel


def fuel_track(device, levels, key="fuel", **more) -> list[Fix]:
    """A fix every five minutes with this level; driving while it falls."""
    fixes, east = [], 0.0
    for number, level in enumerate(levels):
        runs = number + 1 < len(levels) and levels[number + 1] < level
        east += 5 * STEP_DEGREES if runs else 0.0
        fixes.append(
            fix(device, number * 5, east, kph=STEP_KPH if runs else 0.0, ignition=runs, **{key: level}, **more)
        )
    return fixes


LEVELS = [*range(60, 40, -1), *[40] * 6, *[75] * 6, *range(75, 65, -1), *[65] * 4]


@pytest.mark.parametrize(
    ("key", "tank_liters", "factor"), [("fuel", None, 1.0), ("fuelLevel", 200.0, 2.0), ("fuel", 80.0, 1.0)]
)
def test_a_refuel_is_told_and_does_not_make_less_of_what_was_used(device, key, tank_liters, factor):
    device.tank_liters = tank_liters
    device.save()
    store(fuel_track(device, LEVELS, key))
    sections = build("fuel", device)
    whole = totals(sections["days"])
    assert whole["used_liters"] == pytest.approx(30 * factor, abs=1)
    assert whole["refueled_liters"] == pytest.approx(35 * factor)
    assert whole["drained_liters"] == 0
    (refuel,) = rows(sections["changes"])
    assert (refuel["kind"], refuel["liters"]) == ("Refuel", 35 * factor)
    assert sum(row["used_liters"] for row in rows(sections["days"])) == pytest.approx(whole["used_liters"])


def test_fuel_that_goes_while_the_engine_is_off_is_a_drain(device):
    levels = [*range(60, 50, -1), *[50] * 4, 45, 40, 35, *[30] * 5]
    fixes = fuel_track(device, levels)
    for one in fixes[10:]:
        one.attributes["ignition"] = False
    fixes = [*fixes[:10], *(fix(device, n * 5, 0.5, kph=0.0, **fixes[n].attributes) for n in range(10, len(levels)))]
    store(fixes)
    sections = build("fuel", device)
    assert totals(sections["days"])["drained_liters"] == pytest.approx(20)
    assert totals(sections["days"])["used_liters"] == pytest.approx(10, abs=1)
    assert [row["kind"] for row in rows(sections["changes"])] == ["Drain"]


def test_a_percentage_without_a_known_tank_is_no_fuel(device):
    store(fuel_track(device, LEVELS, "fuelLevel"))
    assert totals(build("fuel", device)["days"])["used_liters"] == 0


def test_the_devices_own_counter_knows_best(device):
    store([fix(device, n, n * STEP_DEGREES, kph=STEP_KPH, fuelUsed=1000 + n * 0.1) for n in range(31)])
    whole = totals(build("fuel", device)["days"])
    assert whole["used_liters"] == pytest.approx(3.0)
    assert whole["liters_per_100_km"] == pytest.approx(3.0 / (30 * STEP_KM) * 100, rel=0.01)


# --- limits


@pytest.mark.parametrize("kind", ["trips", "stops", "route", "fuel"])
def test_more_positions_than_fit_into_memory_are_refused(device, monkeypatch, kind):
    store(drive(device))
    monkeypatch.setattr(base, "MAX_FIXES_AT_ONCE", 5)
    with pytest.raises(InvalidReport) as caught:
        build(kind, device)
    assert (caught.value.code, caught.value.field) == ("too_many_positions", "end")


def test_more_rows_than_a_report_stores_are_refused(device, monkeypatch):
    store(drive(device))
    monkeypatch.setattr(base, "MAX_ROWS", 5)
    with pytest.raises(InvalidReport) as caught:
        build("detailed", device)
    assert caught.value.code == "too_many_rows"


# --- events


def test_events_say_which_alarm_answer_or_plan_it_was(device):
    expected_rows = [
        (EventKind.ALARM, {"alarm": "sos"}, "sos"),
        (EventKind.COMMAND_RESULT, {"result": "Engine stopped"}, "Engine stopped"),
        (EventKind.MAINTENANCE_DUE, {"plan": "Oil", "plan_id": 7}, "Oil"),
        (EventKind.IGNITION_ON, {}, None),
    ]
    for minute, (kind, data, _details) in enumerate(expected_rows):
        Event.objects.create(device=device, kind=kind, occurred_at=ELEVEN + minute * MINUTE, data=data)
    listed = rows(build("events", device)["events"])
    assert [row["details"] for row in listed] == [details for _kind, _data, details in expected_rows]
