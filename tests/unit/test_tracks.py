"""Tracks and what a person looking at them on a map would note down: geofences, overspeed, what devices say.

Every track is driven as one batch, fix by fix, and in threes: where batches end must not matter.
"""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from tasks_app.models import Fleet
from tests.support.tracks import (
    START,
    circle,
    corridor,
    drive,
    east,
    event_line,
    make_fences,
    polygon,
    read_track,
    square,
)

YARD = {"yard": {"area": circle(100)}}
NIGHTS = [{"days": [0, 1, 2, 3, 4], "from": "22:00", "to": "06:00"}]


def yard(**settings):
    return {"yard": {"area": circle(100), **settings}}


def ends_of(expected):
    """Every overspeed that is over has an event of its end: `overspeed 0-40 peak 110` -> `overspeed_end 40 after 40 ...`."""
    for began, ended, peak in re.findall(r"overspeed (\d+)-(\d+) peak (\d+)", "\n".join(expected)):
        yield f"overspeed_end {ended} after {int(ended) - int(began)} peak {peak}"


def check(track, expected, *, geofences=YARD, fleet=None, device=None, limit_kph=None, start=START):
    owner = Fleet(pk=1, name="Depot", time_zone="America/Sao_Paulo", **(fleet or {}))
    expected = [*expected, *ends_of(expected)]
    fixes = read_track(track, start)
    for batch_size in (len(fixes), 1, 3):
        fences = make_fences(owner, geofences)
        events, _ = drive(fixes, owner, fences, batch_size, limit_kph, device or {})
        assert sorted(event_line(event, start) for event in events) == sorted(expected), f"in batches of {batch_size}"


# The yard is a circle of 100 m around place 0.
@pytest.mark.parametrize(
    ("track", "expected"),
    [
        # Drives in, then out on the other side.
        ("0:-300 10:0 20:300", ["enter yard 10", "exit yard 20"]),
        # Passes at a distance.
        ("0:300 10:150 20:300", []),
        # Is there when it is heard of for the first time: it has entered, as far as anybody knows.
        ("0:0 10:10", ["enter yard 0"]),
        # Is elsewhere when it is heard of for the first time: it has left nothing.
        ("0:300 10:310", []),
        # Parks inside for hours.
        ("0:300 10:0 3600:5 7200:-5", ["enter yard 10"]),
        # Crosses between two fixes: nobody saw it inside.
        ("0:-300 10:300", []),
        # Just inside and just outside of the line.
        ("0:300 10:99.9 20:100.1", ["enter yard 10", "exit yard 20"]),
        # In and out twice.
        ("0:300 10:0 20:300 30:0 40:300", ["enter yard 10", "exit yard 20", "enter yard 30", "exit yard 40"]),
        # The only fix inside says itself that it may be 500 m off.
        ("0:300 10:0/a500 20:300", []),
        # The fix that jumps out of the yard says itself that it may be 500 m off.
        ("0:0 10:900/a500 20:10", ["enter yard 0"]),
        # 100 m is still good enough, 101 m is not.
        ("0:300 10:0/a100 20:300/a101 30:300", ["enter yard 10", "exit yard 30"]),
        # Bad at first, good later: it entered when that could be known.
        ("0:300 10:0/a500 20:0/a5 30:0/a500", ["enter yard 20"]),
        # Nothing but bad fixes.
        ("0:300/a500 10:0/a500 20:300/a500", []),
    ],
)
def test_a_geofence_without_settings(track, expected):
    check(track, expected)


@pytest.mark.parametrize(
    ("track", "settings", "fleet", "expected"),
    [
        # Parked 5 m inside of the fence, scattering 15 m: it stays.
        ("0:95 10:110 20:85 30:115 40:95", 20, 0, ["enter yard 0"]),
        # Farther out than the tolerance: it has left.
        ("0:0 10:119 20:121", 20, 0, ["enter yard 0", "exit yard 20"]),
        # The tolerance holds a device inside, it lets none in.
        ("0:300 10:110 20:300", 20, 0, []),
        # Creeps out: left where it is past the tolerance, not before.
        ("0:90 10:105 20:112 30:119 40:126 50:119", 20, 0, ["enter yard 0", "exit yard 40"]),
        # Out past the tolerance and back within it: outside until it is in again.
        ("0:90 10:130 20:110 30:90", 20, 0, ["enter yard 0", "exit yard 10", "enter yard 30"]),
        # The fleet's tolerance counts where the geofence has none of its own.
        ("0:90 10:110 20:160", None, 50, ["enter yard 0", "exit yard 20"]),
        # Its own counts, also when it is zero.
        ("0:90 10:110 20:160", 0, 50, ["enter yard 0", "exit yard 10"]),
        # A bad fix far away within the tolerance story changes nothing.
        ("0:90 10:900/a500 20:110 30:95", 20, 0, ["enter yard 0"]),
    ],
)
def test_a_geofence_with_a_tolerance(track, settings, fleet, expected):
    check(track, expected, geofences=yard(tolerance_meters=settings), fleet={"geofence_tolerance_meters": fleet})


@pytest.mark.parametrize(
    ("track", "dwell", "fleet", "expected"),
    [
        # Drives through in 20 s: a passer-by.
        ("0:300 10:0 20:0 30:300 90:300", 30, 0, []),
        # Stays: it entered with the first fix inside, and left with the first one outside.
        ("0:300 10:0 25:0 40:0 50:300 70:300 90:300", 30, 0, ["enter yard 10", "exit yard 50"]),
        # FilterPoint at exactly 30 s.
        ("0:300 10:0 40:0", 30, 0, ["enter yard 10"]),
        # One second less: it waits.
        ("0:300 10:0 39:0", 30, 0, []),
        # Steps out for 20 s: it never left.
        ("0:0 30:0 40:300 60:0 90:0 120:0", 30, 0, ["enter yard 0"]),
        # One fix inside, silent for ten minutes, still inside.
        ("0:300 10:0 610:0", 30, 0, ["enter yard 10"]),
        # One fix inside, silent for ten minutes, then elsewhere: nobody saw it stay.
        ("0:300 10:0 610:300 700:300", 30, 0, []),
        # A fix that cannot be trusted proves no stay.
        ("0:300 10:0 50:0/a500 60:300 100:300", 30, 0, []),
        # Nor does it interrupt one.
        ("0:300 10:0 25:900/a500 45:0", 30, 0, ["enter yard 10"]),
        # Out again in between: the stay begins anew.
        ("0:300 10:0 20:300 30:0 50:0 60:0", 30, 0, ["enter yard 30"]),
        # In for long, out for long, in for short.
        ("0:0 30:0 60:300 90:300 100:0 110:300 140:300", 30, 0, ["enter yard 0", "exit yard 60"]),
        # The fleet's dwell counts where the geofence has none of its own.
        ("0:300 10:0 20:300 50:300", None, 30, []),
        # Its own counts, also when it is zero.
        ("0:300 10:0 20:300 50:300", 0, 30, ["enter yard 10", "exit yard 20"]),
    ],
)
def test_a_geofence_with_a_dwell(track, dwell, fleet, expected):
    check(track, expected, geofences=yard(dwell_seconds=dwell), fleet={"geofence_dwell_seconds": fleet})


@pytest.mark.parametrize(
    ("track", "geofences", "expected"),
    [
        # A ring of a polygon: the hole in its middle is outside.
        (
            "0:300 10:60 20:0 30:60 40:300",
            {"ring": {"area": polygon(100, hole=20)}},
            ["enter ring 10", "exit ring 20", "enter ring 30", "exit ring 40"],
        ),
        # Two parts of one geofence: from one to the other it never left.
        (
            "0:300 10:0 20:1000 30:2000",
            {"both": {"area": {"type": "MultiPolygon", "coordinates": [[square(100)], [square(100, 1000)]]}}},
            ["enter both 10", "exit both 30"],
        ),
        # A road of 100 m: 40 m beside its middle is on it, 60 m is not.
        ("0:300 10:40 20:60", {"road": {"area": corridor(100)}}, ["enter road 10", "exit road 20"]),
        # Tolerance and dwell count for every shape.
        (
            "0:40 10:60 20:40 30:60 60:65 90:90 100:90 120:90",
            {"road": {"area": corridor(100), "tolerance_meters": 20, "dwell_seconds": 20}},
            ["enter road 0", "exit road 90"],
        ),
        # A bay inside of the yard: both at once, inwards and outwards.
        (
            "0:300 10:0 20:300",
            {"yard": {"area": circle(100)}, "bay": {"area": circle(20)}},
            ["enter yard 10", "enter bay 10", "exit yard 20", "exit bay 20"],
        ),
        # From one neighbour to the next.
        (
            "0:0 10:200",
            {"west": {"area": circle(100)}, "east": {"area": circle(100, 200)}},
            ["enter west 0", "exit west 10", "enter east 10"],
        ),
        # One with a dwell, one without.
        (
            "0:300 10:0 20:300",
            {"slow": {"area": circle(100), "dwell_seconds": 60}, "quick": {"area": circle(100)}},
            ["enter quick 10", "exit quick 20"],
        ),
    ],
)
def test_geofences_of_every_shape(track, geofences, expected):
    check(track, expected, geofences=geofences)


@pytest.mark.parametrize(
    ("start", "track", "dwell", "expected"),
    [
        # Friday afternoon: in and out is nobody's business.
        ("2026-11-20T15:00-03:00", "0:300 10:0 20:300", 0, []),
        # Friday, 23:00.
        ("2026-11-20T23:00-03:00", "0:300 10:0 20:300", 0, ["enter yard 10", "exit yard 20"]),
        # Saturday, 03:00: the night that began on Friday.
        ("2026-11-21T03:00-03:00", "0:300 10:0", 0, ["enter yard 10"]),
        # Saturday, 23:00: a night that is not in the list.
        ("2026-11-21T23:00-03:00", "0:300 10:0", 0, []),
        # Came by day, left in the night: only the leaving is recorded, which needs to know that it was in.
        ("2026-11-20T21:00-03:00", "0:0 5400:300", 0, ["exit yard 5400"]),
        # Came in the night, left by day.
        ("2026-11-20T05:59-03:00", "0:0 120:300", 0, ["enter yard 0"]),
        # When it happened decides, not when it had lasted long enough to be recorded.
        ("2026-11-20T21:59:50-03:00", "0:0 60:0", 30, []),
        ("2026-11-20T05:59:50-03:00", "0:0 60:0", 30, ["enter yard 0"]),
    ],
)
def test_a_geofence_with_windows(start, track, dwell, expected):
    geofences = yard(windows=NIGHTS, dwell_seconds=dwell)
    check(track, expected, geofences=geofences, start=datetime.fromisoformat(start))


# Limit 90, tolerance 5.
@pytest.mark.parametrize(
    ("track", "settings", "expected"),
    [
        # Within the limit, and within the tolerance.
        ("0:0/v80 10:200/v90 20:400/v95", {}, []),
        # Too fast, the fastest at 20, back at the limit at 40.
        ("0:0/v80 10:0/v100 20:0/v120 30:0/v110 40:0/v90", {}, ["overspeed 10-40 peak 120"]),
        # Between limit and tolerance it neither begins nor ends.
        ("0:0/v93 10:0/v100 20:0/v93 30:0/v100 40:0/v80", {}, ["overspeed 10-40 peak 100"]),
        # Back at the limit in between: two times.
        (
            "0:0/v100 10:0/v90 20:0/v110 30:0/v90",
            {},
            ["overspeed 0-10 peak 100", "overspeed 20-30 peak 110"],
        ),
        # Still too fast when the track ends.
        ("0:0/v80 10:0/v100 20:0/v130", {}, ["overspeed 10-"]),
        # The device sends no speed: 400 m in 10 s are 144 km/h.
        ("0:0 10:400 20:600", {}, ["overspeed 10-20 peak 144"]),
        # A jump of 10 km in 10 s is no driving.
        ("0:0 10:10000 20:0", {}, []),
        # No limit anywhere.
        ("0:0/v200 10:0/v200", {"limit_kph": None}, []),
        # The device's own limit comes before the fleet's.
        ("0:0/v70 10:0/v50", {"device": {"speed_limit_kph": 60.0}}, ["overspeed 0-10 peak 70"]),
        # The fleet tolerates 20.
        ("0:0/v109 10:0/v111 20:0/v90", {"fleet": {"overspeed_tolerance_kph": 20}}, ["overspeed 10-20 peak 111"]),
        # The device's tolerance comes before the fleet's.
        ("0:0/v109 10:0/v90", {"device": {"overspeed_tolerance_kph": 20}}, []),
        # Overtaking for 20 s, where less than 30 s are not recorded.
        ("0:0/v100 20:0/v90", {"fleet": {"overspeed_min_seconds": 30}}, []),
        # Half a minute: it began at 0, however late that was known.
        (
            "0:0/v100 15:0/v110 30:0/v100 40:0/v90",
            {"fleet": {"overspeed_min_seconds": 30}},
            ["overspeed 0-40 peak 110"],
        ),
        # Twice 20 s are not 40.
        ("0:0/v100 20:0/v90 30:0/v100 50:0/v90", {"fleet": {"overspeed_min_seconds": 30}}, []),
        # The device's minimum comes before the fleet's.
        (
            "0:0/v100 20:0/v90",
            {"fleet": {"overspeed_min_seconds": 30}, "device": {"overspeed_min_seconds": 0}},
            ["overspeed 0-20 peak 100"],
        ),
        # Silent for 40 minutes while speeding, slow afterwards: it ended where it was seen last.
        ("0:0/v100 10:0/v120 2410:0/v50", {}, ["overspeed 0-10 peak 120"]),
        # Silent for 40 minutes, and speeding again: two times.
        (
            "0:0/v100 10:0/v120 2410:0/v110 2420:0/v80",
            {},
            ["overspeed 0-10 peak 120", "overspeed 2410-2420 peak 110"],
        ),
        # Silent for 20 minutes: a tunnel.
        ("0:0/v100 1200:0/v120 1210:0/v80", {}, ["overspeed 0-1210 peak 120"]),
    ],
)
def test_overspeed(track, settings, expected):
    check(track, expected, geofences={}, **{"limit_kph": 90.0, **settings})


@pytest.mark.parametrize(
    ("track", "limits", "expected"),
    [
        # 70 on the road is fine, in the yard it is not; out on the road it is fine again.
        ("0:300/v70 10:0/v70 20:300/v70", {"yard": (100, 50)}, ["overspeed 10-20 peak 70"]),
        # The yard is a race track: its limit is above the fleet's.
        ("0:300/v80 10:0/v110 20:0/v80", {"yard": (100, 120)}, []),
        # In two of them, the lower limit counts.
        ("0:0/v60 10:0/v40", {"yard": (100, 80), "bay": (50, 50)}, ["overspeed 0-10 peak 60"]),
        # A geofence without a limit changes nothing.
        ("0:0/v100 10:0/v80", {"yard": (100, None)}, ["overspeed 0-10 peak 100"]),
    ],
)
def test_overspeed_in_geofences(track, limits, expected):
    geofences = {name: {"area": circle(radius), "speed_limit_kph": limit} for name, (radius, limit) in limits.items()}
    owner = Fleet(pk=1, name="Depot")
    fences = make_fences(owner, geofences)
    fixes = read_track(track)
    for batch_size in (len(fixes), 1):
        events, _ = drive(fixes, owner, fences, batch_size, 90.0, {})
        assert [event_line(event) for event in events if event.kind == "overspeed"] == expected


@pytest.mark.parametrize(
    ("track", "expected"),
    [
        # Known for the first time is no switching; not sent is no switching either.
        ("0:0/ign1 10:0 20:0/ign1", []),
        ("0:0/ign0 10:0/ign1 20:0 30:0/ign0", ["ignition_on 10", "ignition_off 30"]),
        # The driver presses the button, and it stays pressed for three fixes.
        ("0:0 10:0/alarm=sos 20:0/alarm=sos 30:0/alarm=sos 40:0", ["alarm sos 10"]),
        # Pressed again after a fix without.
        ("0:0/alarm=sos 10:0 20:0/alarm=sos", ["alarm sos 0", "alarm sos 20"]),
        # Two at once, one of them goes on.
        ("0:0/alarm=sos,powerCut 10:0/alarm=powerCut,tow", ["alarm sos 0", "alarm powerCut 0", "alarm tow 10"]),
        # Nothing between the commas.
        ("0:0/alarm=,", []),
        # Below 20 % once, however it wavers there; again only after it was at 30 %.
        ("0:0/bat50 10:0/bat19 20:0/bat18 30:0/bat21 40:0/bat19", ["battery_low 19.0 10"]),
        ("0:0/bat19 10:0 20:0/bat31 30:0/bat15", ["battery_low 19.0 0", "battery_low 15.0 30"]),
        # Exactly 20 % is not below it; 300 % is nonsense.
        ("0:0/bat20 10:0/bat300", []),
    ],
)
def test_what_devices_say(track, expected):
    check(track, expected, geofences={})


def test_a_pending_crossing_keeps_when_and_where_it_began():
    owner = Fleet(pk=1, name="Depot")
    fences = make_fences(owner, yard(dwell_seconds=60))
    events, state = drive(read_track("0:300 10:50 20:10"), owner, fences, 1, None, {})
    assert (events, state.geofence_ids) == ([], [])
    assert state.pending_geofences.keys() == {"1"}
    events, state = drive(read_track("0:300 10:50 20:10 70:0"), owner, fences, 1, None, {})
    assert (state.geofence_ids, state.pending_geofences) == ([1], {})
    assert events[0].longitude == pytest.approx(east(50))


def test_a_device_counts_as_moving_until_it_stands():
    owner = Fleet(pk=1, name="Depot")
    fences = make_fences(owner, {})

    def moving(track):
        return [drive(read_track(track), owner, fences, size, None, {})[1].is_moving for size in (10, 1)]

    assert moving("0:0/v4") == [False, False]
    assert moving("0:0/v30 10:80/v4") == [True, True]
    assert moving("0:0/v30 10:80/v1 20:80/v4") == [False, False]


def test_the_devices_own_counters_are_kept_beside_ours():
    fixes = read_track("0:0/v40 10:100/v40")
    fixes[0].attributes.update(odometer=123_456_000, hours=7_200_000)
    fixes[1].attributes.update(odometer="many", hours=float("nan"))
    owner = Fleet(pk=1, name="Depot")
    _, state = drive(fixes, owner, make_fences(owner, {}), 1, None, {})
    assert (state.sent_odometer_meters, state.sent_engine_seconds) == (123_456_000, 7200)
    assert state.odometer_meters == 0
