"""Figures per day, local days, times as people write them, what fleet sections make of figures: pure parts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from reports_app.builders.fleet import DeviceRow, days_section, devices_section, ranking_sections, utilisation_percent
from reports_app.exceptions import InvalidReport
from reports_app.periods import last_ended_day, parse_time
from reports_app.services.requests.requesting import check_range
from tasks_app.geo.days import day_parts, day_range
from tasks_app.geo.figures import Columns, Figures, figures_of_parts, total
from tasks_app.geo.motion_rules import motion_rules
from tasks_app.geo.steps import read_steps
from tasks_app.queries.device_days import DayTotals

SAO_PAULO, BERLIN = ZoneInfo("America/Sao_Paulo"), ZoneInfo("Europe/Berlin")
# On the equator, 0.01 degrees of longitude are 1113.195 m: 66.792 km/h when it takes a minute.
STEP_DEGREES, STEP_METERS, STEP_KPH = 0.01, 1113.195, 66.792


def columns(times, longitudes, speeds=None, ignition=None) -> Columns:
    count = len(times)
    return Columns(
        np.asarray(times, dtype=float),
        np.zeros(count),
        np.asarray(longitudes, dtype=float),
        np.full(count, np.nan) if speeds is None else np.asarray(speeds, dtype=float),
        np.full(count, np.nan) if ignition is None else np.asarray(ignition, dtype=float),
    )


def parts_of(fixes: Columns, edges) -> list[Figures]:
    """The figures of a car's parts."""
    places = (fixes.times, fixes.latitudes, fixes.longitudes, fixes.speeds_kph)
    return figures_of_parts(fixes, read_steps(*places, rules=motion_rules("car")), edges)


def drive_of_ten_minutes(start=0.0) -> Columns:
    """Eleven fixes a minute apart, driving east at a constant speed with the engine on."""
    return columns(start + np.arange(11) * 60.0, np.arange(11) * STEP_DEGREES, np.full(11, STEP_KPH), np.ones(11))


def test_it_measures_a_drive():
    (figures,) = parts_of(drive_of_ten_minutes(), [-100.0, 700.0])
    assert figures.distance_meters == pytest.approx(10 * STEP_METERS, rel=1e-4)
    assert figures.moving_seconds == 600
    assert figures.engine_seconds == 600
    assert figures.average_speed_kph == pytest.approx(STEP_KPH, rel=1e-3)
    assert (figures.stopped_seconds, figures.idle_seconds, figures.fix_count) == (0, 0, 11)


def test_it_splits_the_step_that_crosses_midnight():
    parts = parts_of(drive_of_ten_minutes(), [-100.0, 90.0, 700.0])
    assert [part.moving_seconds for part in parts] == [90, 510]
    assert parts[0].distance_meters == pytest.approx(1.5 * STEP_METERS, rel=1e-4)
    assert [part.fix_count for part in parts] == [2, 9]


@pytest.mark.parametrize("edge", [0.0, 60.0, 61.5, 299.0, 600.0, 650.0])
def test_the_parts_add_up_to_the_whole(edge):
    (whole,) = parts_of(drive_of_ten_minutes(), [-100.0, 700.0])
    together = total(parts_of(drive_of_ten_minutes(), [-100.0, edge, 700.0]))
    assert together.distance_meters == pytest.approx(whole.distance_meters)
    assert together.moving_seconds == pytest.approx(whole.moving_seconds)
    assert together.engine_seconds == pytest.approx(whole.engine_seconds)
    assert together.fix_count == whole.fix_count


def test_it_counts_standing_with_the_engine_on_as_idle_within_stopped():
    times = np.arange(0, 1300, 60.0)
    ignition = np.where(times < 600, 1.0, 0.0)
    (figures,) = parts_of(columns(times, np.zeros(len(times)), np.zeros(len(times)), ignition), [0.0, 1260.0])
    assert (figures.moving_seconds, figures.stopped_seconds, figures.idle_seconds) == (0, 1260, 600)
    assert figures.engine_seconds == 600


def test_a_parked_vehicle_is_stopped_on_the_days_it_was_heard_of_and_a_silent_day_is_zeros():
    parked = columns([43_200.0, 3 * 86_400.0 - 3600], [0.0, 0.0], [0.0, 0.0])
    parts = parts_of(parked, [0.0, 86_400.0, 2 * 86_400.0, 3 * 86_400.0])
    assert [part.stopped_seconds for part in parts] == [43_200, 0, 86_400 - 3600]
    assert parts[1] == Figures()


def test_the_way_made_in_a_silence_over_midnight_belongs_to_the_day_it_was_heard_of():
    moved = columns([82_800.0, 90_000.0], [0.0, 0.05], [0.0, 0.0])
    parts = parts_of(moved, [0.0, 86_400.0, 2 * 86_400.0])
    assert [part.distance_meters for part in parts] == pytest.approx([0, 5 * STEP_METERS], rel=1e-4)
    assert [part.stopped_seconds + part.moving_seconds for part in parts] == [0, 0]


def test_a_silence_stays_one_wherever_midnight_cuts_it():
    # 40 minutes of silence between two fast fixes, midnight in the middle: no driving time on either day
    moved = columns([85_200.0, 87_600.0], [0.0, 0.05], [80.0, 80.0])
    parts = parts_of(moved, [0.0, 86_400.0, 2 * 86_400.0])
    assert [part.moving_seconds for part in parts] == [0, 0]


@pytest.mark.parametrize("count", [0, 1])
def test_days_without_fixes_are_zeros(count):
    found = parts_of(columns(np.zeros(count), np.zeros(count)), [100.0, 200.0, 300.0])
    assert found == [Figures(), Figures()]


def test_it_takes_the_short_way_across_the_antimeridian():
    crossing = columns([0.0, 60.0], [179.995, -179.995], [STEP_KPH, STEP_KPH])
    parts = parts_of(crossing, [0.0, 30.0, 60.0])
    assert [part.distance_meters for part in parts] == pytest.approx([STEP_METERS / 2] * 2, rel=1e-3)


def test_a_fix_that_jumped_away_adds_no_distance():
    times, longitudes = np.arange(11) * 60.0, np.arange(11) * STEP_DEGREES
    longitudes[5] = 40.0
    (figures,) = parts_of(columns(times, longitudes), [0.0, 600.0])
    assert figures.distance_meters == pytest.approx(10 * STEP_METERS, rel=1e-3)


def test_total_of_nothing_is_zero():
    assert total([]) == Figures()


# --- local days


def test_days_follow_the_clocks_of_the_zone():
    start, end = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 3, 3, tzinfo=UTC)
    assert [(day.day, (stop - begin) / timedelta(hours=1)) for day, begin, stop in day_parts(start, end, SAO_PAULO)] == [
        (1, 15.0), (2, 24.0)
    ]  # fmt: skip


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_a_day_is_as_long_as_the_clock_change_makes_it(day, hours):
    start, end = day_range(day, BERLIN)
    assert (end - start) == timedelta(hours=hours)


def test_a_midnight_that_does_not_exist_is_the_time_of_the_change():
    start, _end = day_range(date(2018, 11, 4), SAO_PAULO)
    assert start == datetime(2018, 11, 4, 3, tzinfo=UTC)


def test_yesterday_is_what_the_fleet_calls_yesterday():
    assert last_ended_day(datetime(2026, 3, 2, 1, tzinfo=UTC), SAO_PAULO) == date(2026, 2, 28)
    assert last_ended_day(datetime(2026, 3, 2, 1, tzinfo=UTC), BERLIN) == date(2026, 3, 1)


# --- times as people write them


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", datetime(2026, 3, 1, 3, tzinfo=UTC)),
        ("2026-03-01T08:00:00Z", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01T08:00:00-03:00", datetime(2026, 3, 1, 11, tzinfo=UTC)),
        ("2026-03-01T23:59:59+23:59:59", datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_it_reads_a_moment(text, expected):
    found = parse_time(text, SAO_PAULO, field="start")
    assert (found, found.utcoffset()) == (expected, timedelta())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2026-03-01T08:00:00", "naive_time"),
        ("yesterday", "invalid_time"),
        ("", "invalid_time"),
        ("2026-02-30", "invalid_time"),
        ("0001-01-01", "invalid_time"),
        ("0001-01-01T00:00:00+05:00", "invalid_time"),
        ("9" * 5000, "invalid_time"),
    ],
)
def test_it_refuses_a_moment_that_could_mean_anything(text, code):
    with pytest.raises(InvalidReport) as caught:
        parse_time(text, BERLIN, field="start")
    assert (caught.value.code, caught.value.field) == (code, "start")


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        (datetime(2026, 3, 1), datetime(2026, 3, 2, tzinfo=UTC), "naive_time"),
        (datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), "end_before_start"),
        (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), "end_before_start"),
        (datetime(2024, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), "range_too_long"),
        (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), "time_out_of_range"),
    ],
)
def test_it_refuses_a_range_that_cannot_be_meant(start, end, code):
    with pytest.raises(InvalidReport) as caught:
        check_range(start, end)
    assert caught.value.code == code


# --- fleet sections


def device_row(name, meters=0.0, moving_seconds=0.0, overspeeds=0) -> DeviceRow:
    figures = Figures(distance_meters=meters, driven_meters=meters, moving_seconds=moving_seconds, max_speed_kph=80.0)
    device = SimpleNamespace(name=name, unique_id=f"id-{name}")
    return DeviceRow(device, [DayTotals(figures, trips=1, events={"overspeed": overspeeds}), DayTotals()])


def cells(section, number=0) -> dict:
    return dict(zip((column.key for column in section.columns), list(section.rows)[number], strict=True))


def test_the_devices_section_has_a_row_per_device_and_adds_up():
    rows = [device_row("A", 10_000, 3600, 2), device_row("B")]
    section = devices_section(rows, elapsed_seconds=7200)
    totals = dict(zip((column.key for column in section.columns), section.totals, strict=True))
    assert cells(section)["utilisation_percent"] == 50.0
    assert cells(section, 1)["distance_km"] == 0
    assert (totals["distance_km"], totals["overspeeds"], totals["trips"]) == (10.0, 2, 2)
    assert totals["utilisation_percent"] == 25.0


def test_the_days_section_has_a_row_for_a_silent_day():
    days = day_parts(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC), ZoneInfo("UTC"))
    row = device_row("A", 10_000, 3600)
    row.days[1] = DayTotals(events={"device_offline": 1})
    section = days_section(days, [row])
    assert (cells(section)["distance_km"], cells(section)["active_devices"], cells(section)["events"]) == (10.0, 1, 0)
    assert (cells(section, 1)["distance_km"], cells(section, 1)["active_devices"], cells(section, 1)["events"]) == (
        0,
        0,
        1,
    )


def test_rankings_put_the_most_first_and_leave_out_those_with_nothing():
    rows = [device_row("C", 5, 1, 1), device_row("B", 9, 1, 0), device_row("A", 5, 9, 3), device_row("D")]
    distance, utilisation, overspeeds = ranking_sections(rows, 100)
    assert [row[:2] for row in distance.rows] == [[1, "B"], [2, "A"], [3, "C"]]
    assert next(iter(utilisation.rows))[1] == "A"
    assert [row[1:] for row in overspeeds.rows] == [["A", 3], ["C", 1]]


@pytest.mark.parametrize(("elapsed", "expected"), [(0, 0.0), (-5, 0.0), (50, 100.0), (200, 50.0)])
def test_utilisation_stays_between_nothing_and_all_of_the_time(elapsed, expected):
    assert utilisation_percent(Figures(moving_seconds=100), elapsed) == expected
