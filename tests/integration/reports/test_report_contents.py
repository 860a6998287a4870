"""Contents of reports, each kind on a track small enough to check by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from reports_app.builders.registry import BUILDERS
from reports_app.queries import stored_table
from reports_app.services.files import export_report, formats_of
from tasks_app.ingest.fix import Fix
from tasks_app.models import DeviceState, Event, EventKind, Geofence, Position
from tasks_app.services.positions.store import store_fixes
from tests.support.reports import (
    DAY,
    ELEVEN,
    LATER,
    NEXT_DAY,
    STEP_KM,
    STEP_KPH,
    build,
    drive,
    rows_of,
    totals_of,
)

pytestmark = pytest.mark.usefixtures("media")


def test_the_summary_of_a_drive(device):
    drive(device)
    report = build("summary", device=device)
    (summary,) = rows_of(report, "summary")
    assert summary["distance_km"] == pytest.approx(10 * STEP_KM, rel=0.01)
    assert summary["moving_seconds"] == pytest.approx(600, abs=61)
    assert summary["stopped_seconds"] == pytest.approx(41 * 60, abs=121)
    assert summary["idle_seconds"] == pytest.approx(20 * 60, abs=61)
    assert summary["engine_seconds"] == pytest.approx(31 * 60, abs=1)
    assert summary["max_speed_kph"] == pytest.approx(STEP_KPH, abs=0.1)
    assert (summary["trips"], summary["device"]) == (1, "Van 1")
    assert summary["first_fix_at"] == ELEVEN - timedelta(minutes=21)
    assert summary["last_fix_at"] == ELEVEN + timedelta(minutes=31)
    assert summary["odometer_end_km"] - summary["odometer_start_km"] == pytest.approx(summary["distance_km"], abs=0.002)
    assert summary["odometer_end_km"] == pytest.approx(DeviceState.objects.get().odometer_meters / 1000, abs=0.001)


def test_the_odometer_of_an_earlier_day_leaves_out_what_was_driven_since(device):
    drive(device)
    drive(device, ELEVEN + timedelta(days=1), west=-45.9)  # from where it was left
    (summary,) = rows_of(build("summary", device=device, range_end=NEXT_DAY), "summary")
    newest_km = DeviceState.objects.get().odometer_meters / 1000
    assert newest_km - summary["odometer_end_km"] == pytest.approx(10 * STEP_KM, rel=0.02)


def test_the_odometer_of_an_earlier_day_is_the_same_once_positions_were_dropped(device):
    drive(device)
    drive(device, ELEVEN + timedelta(days=1), west=-45.9)
    (before,) = rows_of(build("summary", device=device, range_end=NEXT_DAY), "summary")
    Position.objects.filter(device=device).delete()
    (after,) = rows_of(build("summary", device=device, range_end=NEXT_DAY), "summary")
    assert after == before
    assert after["odometer_end_km"] == pytest.approx(10 * STEP_KM, rel=0.02)


def test_a_day_without_data_is_a_row_of_zeros(device):
    drive(device)
    first, second = rows_of(build("summary", device=device), "days")
    assert (first["day"], second["day"]) == (date(2026, 3, 2), date(2026, 3, 3))
    assert first["distance_km"] > 11
    assert {second[key] for key in second if key != "day"} == {0}


def test_a_device_that_never_sent_anything_has_a_report_of_zeros(device):
    report = build("summary", device=device)
    (summary,) = rows_of(report, "summary")
    assert (summary["distance_km"], summary["odometer_end_km"], summary["first_fix_at"]) == (0, None, None)
    assert totals_of(report, "days")["fixes"] == 0
    for kind in ("detailed", "route", "trips", "stops", "events", "visits"):
        sections = stored_table(build(kind, device=device).pk).sections
        assert not any(list(section.row_lists()) for section in sections), kind
    for kind in ("overspeed", "fuel"):
        assert [set(row.values()) - {0, None} for row in rows_of(build(kind, device=device), "days")] == [
            {date(2026, 3, 2)},
            {date(2026, 3, 3)},
        ]


def test_days_begin_at_the_fleets_midnight(device):
    drive(device, NEXT_DAY - timedelta(minutes=5))  # half of the drive on either side
    first, second = rows_of(build("summary", device=device), "days")
    assert first["distance_km"] == pytest.approx(5 * STEP_KM, rel=0.01)
    assert second["distance_km"] == pytest.approx(5 * STEP_KM, rel=0.01)
    assert (first["trips"], second["trips"]) == (1, 0)


def test_events_are_counted_by_kind_and_day(device):
    for hour in (1, 2, 30):
        Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=DAY + timedelta(hours=hour))
    Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=LATER)  # the range ends before it
    report = build("summary", device=device)
    assert {row["kind"]: row["count"] for row in rows_of(report, "events") if row["count"]} == {"Overspeed": 3}
    assert [row["events"] for row in rows_of(report, "days")] == [2, 1]


def test_a_trip_starts_where_the_vehicle_left_and_ends_where_it_came_to_rest(device):
    drive(device)
    (trip,) = rows_of(build("trips", device=device), "trips")
    assert trip["started_at"] == pytest.approx(ELEVEN, abs=timedelta(minutes=1))
    assert trip["ended_at"] == pytest.approx(ELEVEN + timedelta(minutes=10), abs=timedelta(minutes=1))
    assert trip["distance_km"] == pytest.approx(10 * STEP_KM, rel=0.01)
    assert (trip["start_longitude"], trip["end_longitude"]) == pytest.approx((-46.0, -45.9), abs=0.011)


@pytest.mark.parametrize("kind", ["trips", "stops"])
def test_trips_and_stops_are_the_same_whatever_range_is_asked(device, kind):
    drive(device)
    middle = ELEVEN + timedelta(minutes=5)
    whole = rows_of(build(kind, device=device), kind)
    cut = rows_of(build(kind, device=device, range_start=middle, range_end=middle + timedelta(seconds=30)), kind)
    late = rows_of(build(kind, device=device, range_start=middle, range_end=LATER), kind)
    assert all(row in whole for row in (*cut, *late))
    assert len(cut) == (1 if kind == "trips" else 0)
    assert late == whole if kind == "trips" else late == whole[-1:]


def test_a_stop_of_many_days_is_told_whole(device):
    parked = [
        Fix(device.unique_id, ELEVEN + timedelta(hours=hours), 0.0, -46.0, speed_kph=0.0) for hours in range(0, 240, 6)
    ]
    store_fixes(parked, received_at=ELEVEN + timedelta(days=10))
    middle = ELEVEN + timedelta(days=5)
    (stop,) = rows_of(build("stops", device=device, range_start=middle, range_end=middle + timedelta(days=1)), "stops")
    assert (stop["started_at"], stop["duration_seconds"]) == (ELEVEN, 234 * 3600)


def test_stops_tell_how_long_the_engine_ran(device):
    drive(device)
    report = build("stops", device=device)
    off, on = rows_of(report, "stops")
    assert off["idle_seconds"] == pytest.approx(0, abs=61)
    assert on["idle_seconds"] == pytest.approx(20 * 60, abs=61)
    assert (on["latitude"], on["longitude"]) == pytest.approx((0.0, -45.9), abs=0.001)
    assert totals_of(report, "stops")["duration_seconds"] == off["duration_seconds"] + on["duration_seconds"]


def test_events_carry_what_is_particular_to_them(device, fleet):
    depot = Geofence.objects.create(
        fleet=fleet, name="=Depot", area={"type": "Circle", "coordinates": [-46, 0], "radius_meters": 100}
    )
    data = {"speed_kph": 101.0, "speed_limit_kph": 90, "peak_kph": 120.5, "duration_seconds": "broken"}
    Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=ELEVEN, data=data, longitude=-46.1)
    Event.objects.create(device=device, kind=EventKind.GEOFENCE_EXIT, occurred_at=DAY, geofence=depot)
    gone = {"geofence": "Yard, deleted since"}
    Event.objects.create(device=device, kind=EventKind.GEOFENCE_EXIT, occurred_at=LATER - timedelta(1), data=gone)
    left, fast, without = rows_of(build("events", device=device), "events")
    assert without["geofence"] == gone["geofence"]
    assert (left["kind"], left["geofence"], left["occurred_at"]) == ("Geofence left", "=Depot", DAY)
    assert (fast["peak_kph"], fast["speed_limit_kph"], fast["duration_seconds"], fast["longitude"]) == (
        120.5, 90, None, -46.1
    )  # fmt: skip


@pytest.mark.parametrize(("days", "states"), [(-9, []), (0, ["Still inside"]), (1, ["Still inside"]), (5_000, [])])
def test_a_visit_without_an_entry_is_none_before_the_first_position_and_in_the_future(device, fleet, days, states):
    drive(device)
    area = {"type": "Circle", "coordinates": [-45.9, 0], "radius_meters": 100}
    depot = Geofence.objects.create(fleet=fleet, name="Depot", area=area)
    DeviceState.objects.filter(device=device).update(geofence_ids=[depot.pk])
    start = DAY + timedelta(days=days)
    report = build("visits", device=device, range_start=start, range_end=start + timedelta(days=1))
    assert [row["state"] for row in rows_of(report, "visits")] == states


def test_a_fleet_report_has_every_device_and_the_totals(device, make_device, fleet):
    silent = make_device(name="Silent")
    drive(device)
    Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=ELEVEN, data={"peak_kph": 120})
    report = build("fleet", fleet=fleet)
    by_name = {row["device"]: row for row in rows_of(report, "devices")}
    assert by_name["Van 1"]["distance_km"] == pytest.approx(10 * STEP_KM, rel=0.01)
    assert (by_name[silent.name]["distance_km"], by_name[silent.name]["trips"]) == (0, 0)
    assert (totals_of(report, "devices")["trips"], totals_of(report, "devices")["overspeeds"]) == (1, 1)
    assert [row["active_devices"] for row in rows_of(report, "days")] == [1, 0]
    assert [row["device"] for row in rows_of(report, "ranking_distance")] == ["Van 1"]
    assert [row["peak_kph"] for row in rows_of(report, "violations")] == [120]
    assert stored_table(report.pk).subject == fleet.name


@pytest.mark.parametrize("kind", sorted({*BUILDERS} - {"daily"}))
def test_every_kind_is_written_in_every_format_it_has(kind, device, fleet):
    drive(device)
    subject = {"fleet": fleet} if kind == "fleet" else {"device": device}
    report = build(kind, **subject)
    places = {key for section in stored_table(report.pk).sections for key in (c.key for c in section.columns)}
    has_places = bool(places & {"latitude", "start_latitude"})
    assert ("gpx" in formats_of(kind)) == has_places
    for format in formats_of(kind):
        assert export_report(report.pk, format).size_bytes > 0
