from datetime import datetime

import numpy as np
import pytest

from tasks_app.services.positions.derivation import (
    Before,
    carried,
    filled_courses,
    filled_speeds,
    rules_of,
    said_moving,
    steps,
)
from tasks_app.services.positions.dirty_days import local_days
from tasks_app.services.positions.geofence_crossings import applied_limits

NAN = float("nan")
# 0.001 degrees of latitude at the equator
STEP_METERS = 110.574
CAR = rules_of(["car"])


def floats(*values):
    return np.array(values, dtype=np.float64)


def index(*values):
    return np.array(values, dtype=np.intp)


def signs(*values):
    return np.array(values, dtype=np.int8)


def before(time=NAN, latitude=NAN):
    longitude = NAN if np.isnan(latitude) else 0.0
    return Before(floats(time), floats(latitude), floats(longitude))


def every(values):
    return np.arange(len(values))


def steps_of(times, latitudes, known):
    zeros = np.zeros(len(times))
    return steps(
        floats(*times), floats(*latitudes), zeros, index(*[0] * len(times)), index(0), known, CAR, every(times)
    )


@pytest.mark.parametrize(
    ("times", "latitudes", "known", "seconds", "meters"),
    [
        ([10, 20], [0, 0.001], before(), [NAN, 10], [NAN, STEP_METERS]),
        ([10, 20], [0, 0.001], before(4, 0.001), [6, 10], [STEP_METERS, STEP_METERS]),
        # the first fix is late: its predecessor is not known, the second one follows on what was known before
        ([10, 20], [0.005, 0.001], before(15, 0.0), [NAN, 5], [NAN, STEP_METERS]),
        ([10, 20], [0, 0.001], before(30, 0.5), [NAN, 10], [NAN, STEP_METERS]),
        # 111 km in 10 s is no way a vehicle makes
        ([10, 20], [0, 1], before(), [NAN, 10], [NAN, 0]),
    ],
)
def test_each_step_leads_from_the_newest_older_fix(times, latitudes, known, seconds, meters):
    found = steps_of(times, latitudes, known)
    assert found.seconds == pytest.approx(seconds, nan_ok=True)
    assert found.meters == pytest.approx(meters, abs=0.01, nan_ok=True)


@pytest.mark.parametrize(
    ("seconds", "latitude", "expected_kph"),
    [
        (10, 0.001, 39.81),
        (10, 0.0, 0.0),
        (0.5, 0.0001, NAN),  # too short: noise
        (10, 1.0, NAN),  # a jump
        (1801, 0.1, NAN),  # a gap
        (1800, 0.1, 22.11),
    ],
)
def test_the_speed_of_a_step_is_told_only_where_it_means_something(seconds, latitude, expected_kph):
    found = steps_of([seconds], [latitude], before(0, 0.0))
    assert found.speeds_kph[0] == pytest.approx(expected_kph, abs=0.01, nan_ok=True)


def test_steps_never_lead_from_one_device_to_another():
    known = Before(floats(NAN, 0), floats(NAN, 5.0), floats(NAN, 0.0))
    found = steps(
        floats(1, 2, 10),
        floats(0, 0, 5),
        np.zeros(3),
        index(0, 0, 1),
        index(0, 2),
        known,
        rules_of(["car", "car"]),
        every(range(3)),
    )
    assert found.seconds == pytest.approx([NAN, 1, 10], nan_ok=True)
    assert found.meters == pytest.approx([NAN, 0, 0], nan_ok=True)


def test_steps_are_those_to_the_rows_asked_for():
    found = steps(floats(1, 2, 10), floats(0, 0, 0.001), np.zeros(3), index(0, 0, 0), index(0), before(), CAR, index(2))
    assert found.seconds == pytest.approx([8])
    assert found.meters == pytest.approx([STEP_METERS], abs=0.01)


def test_a_sent_speed_is_kept_and_a_missing_one_filled():
    assert filled_speeds(floats(50, NAN, NAN), floats(40, 30, NAN)) == pytest.approx([50, 30, NAN], nan_ok=True)


@pytest.mark.parametrize(
    ("sent", "known", "expected"),
    [
        ([-1, 1, -1, 0, -1], -1, [-1, 1, 1, 0, 0]),
        ([-1, -1], 1, [1, 1]),
        ([0, -1], 1, [0, 0]),
    ],
)
def test_ignition_is_what_the_device_said_last(sent, known, expected):
    device = index(*[0] * len(sent))
    assert carried(signs(*sent), device, index(0), signs(known)).now.tolist() == expected


def test_ignition_is_carried_within_a_device_only():
    found = carried(signs(1, -1, 0), index(0, 1, 1), index(0, 1), signs(-1, -1))
    assert found.now.tolist() == [1, -1, 0]
    assert found.earlier.tolist() == [-1, -1, -1]


@pytest.mark.parametrize(
    ("sent", "known", "rows"),
    [
        ([1, -1, 0, 0, 1], -1, [2, 4]),  # the first known value is no change
        ([1, -1, 0], 0, [0, 2]),
        ([-1, -1], 1, []),
        ([], -1, []),
    ],
)
def test_the_ignition_switches_where_it_differs_from_the_fix_before(sent, known, rows):
    starts, known = (index(0), signs(known)) if sent else (index(), signs())
    assert carried(signs(*sent), index(*[0] * len(sent)), starts, known).switches.tolist() == rows


@pytest.mark.parametrize(
    ("inside", "fence_limits", "other", "expected", "column"),
    [
        ([False, False], [30, 50], 90, 90, -1),
        ([False, True], [30, 50], 90, 50, 1),
        ([True, True], [30, 50], 90, 30, 0),
        ([True, True], [NAN, 50], NAN, 50, 1),
        ([True, True], [NAN, NAN], 90, 90, -1),
        ([True, False], [120, NAN], 90, 120, 0),
        ([], [], 90, 90, -1),
    ],
)
def test_the_limit_of_the_geofence_comes_before_the_others(inside, fence_limits, other, expected, column):
    limits, columns = applied_limits(np.array([inside], dtype=bool), floats(*fence_limits), floats(other))
    assert (limits.tolist(), columns.tolist()) == ([expected], [column])


@pytest.mark.parametrize(
    ("sent", "seconds", "latitude", "longitude", "expected"),
    [
        (NAN, 10, 0.001, 0.0, 0),
        (NAN, 10, 0.0, 0.001, 90),
        (NAN, 10, -0.001, 0.0, 180),
        (NAN, 10, 0.0, -0.001, 270),
        (45, 10, 0.001, 0.0, 45),  # what the device says counts
        (NAN, 10, 0.00004, 0.0, NAN),  # 4.4 m: noise
        (NAN, 10, 0.00005, 0.0, 0),  # 5.6 m
        (NAN, 1801, 0.1, 0.0, NAN),  # after a gap nobody knows the way
        (NAN, 10, 1.0, 0.0, NAN),  # a jump
    ],
)
def test_a_missing_course_follows_from_the_way(sent, seconds, latitude, longitude, expected):
    latitudes, longitudes = floats(latitude), floats(longitude)
    found = steps(floats(seconds), latitudes, longitudes, index(0), index(0), before(0, 0.0), CAR, index(0))
    assert filled_courses(floats(sent), found, latitudes, longitudes) == pytest.approx([expected], nan_ok=True)


def test_the_first_fix_of_a_device_has_no_course():
    found = steps(floats(0), floats(1), floats(1), index(0), index(0), before(), CAR, index(0))
    assert np.isnan(filled_courses(floats(NAN), found, floats(1), floats(1))).all()


def microseconds(*timestamps):
    return np.array([int(datetime.fromisoformat(one).timestamp() * 1e6) for one in timestamps], dtype=np.int64)


@pytest.mark.parametrize(
    ("zone", "timestamps", "expected"),
    [
        ("UTC", ["2026-11-20T23:59:59.999999Z", "2026-11-21T00:00Z"], ["2026-11-20", "2026-11-21"]),
        ("America/Sao_Paulo", ["2026-11-21T02:59:59Z", "2026-11-21T03:00Z"], ["2026-11-20", "2026-11-21"]),
        # a quarter of an hour decides
        ("Asia/Kathmandu", ["2026-11-20T18:14:59Z", "2026-11-20T18:15Z"], ["2026-11-20", "2026-11-21"]),
        # clocks that go back at midnight: the day before comes back for an hour, and stays one day
        (
            "America/Havana",
            ["2026-11-01T03:30Z", "2026-11-01T04:30Z", "2026-11-01T05:30Z"],
            ["2026-10-31", "2026-11-01"],
        ),
        ("UTC", ["1969-12-31T23:59Z"], ["1969-12-31"]),
    ],
)
def test_the_days_of_fixes_are_those_of_the_fleets_zone(zone, timestamps, expected):
    times = microseconds(*timestamps)
    found = local_days(times, index(*[0] * len(times)), [zone])
    assert [(number, str(day)) for number, day in found] == [(0, day) for day in expected]


def test_each_device_has_the_days_of_its_own_zone():
    times = microseconds(*["2026-11-21T01:00Z"] * 4)
    found = local_days(times, index(0, 1, 1, 2), ["UTC", "America/Sao_Paulo", "UTC"])
    assert [(number, day.day) for number, day in found] == [(0, 21), (1, 20), (2, 21)]
    assert local_days(times[:0], index(), ["UTC"]) == []


@pytest.mark.parametrize(
    ("kind", "kph", "expected"),
    [("car", 6, 1), ("car", 4, -1), ("car", 1.9, 0), ("phone", 4, 1), ("phone", 1.9, 1), ("phone", 0.5, 0)],
)
def test_what_speed_is_moving_depends_on_the_kind(kind, kph, expected):
    assert said_moving(floats(kph), index(0), rules_of([kind])).tolist() == [expected]
