import numpy as np
import pytest
from geographiclib.geodesic import Geodesic

from tasks_app.geo.distance import METERS_PER_DEGREE
from tasks_app.geo.figures import moved_gap_seconds
from tasks_app.geo.motion import derive_speeds_kph, detect_stops, detect_trips
from tasks_app.geo.motion_rules import RULES_BY_KIND, motion_rules
from tasks_app.geo.speed import outliers
from tasks_app.geo.steps import read_steps
from tasks_app.models.devices import DeviceKind
from tests.support.figures import whole_figures

NAN = float("nan")
CAR = motion_rules("car")
PLACE = (-23.55, -46.63)


def north(meters):
    """The latitude so many meters north of the place."""
    return Geodesic.WGS84.Direct(*PLACE, 0.0, meters)["lat2"]


def track(seconds, meters, speeds=None):
    """Fixes on a straight way north: seconds and meters from the start, and the sent speeds."""
    latitudes = np.array([north(one) for one in meters], dtype=float)
    sent = None if speeds is None else np.asarray(speeds, dtype=float)
    return 1_700_000_000.0 + np.asarray(seconds, dtype=float), latitudes, np.full(len(latitudes), PLACE[1]), sent


def spans(found):
    return [(item.start_index, item.end_index) for item in found]


# speeds at minutes 0, 1, 2, 3, 4, 5, 15, 25 with the way driven: a known case of the field, here in km/h
ONE_TRIP = track(
    np.array([0, 1, 2, 3, 4, 5, 15, 25]) * 60, [0, 0, 0, 1000, 2000, 3000, 3000, 3000], [0, 0, 60, 60, 60, 0, 0, 0]
)


def test_it_finds_one_trip_with_both_ends_back_dated():
    (trip,) = detect_trips(*ONE_TRIP, rules=CAR)
    assert (trip.start_index, trip.end_index) == (2, 5)
    assert trip.duration_seconds == 180
    assert trip.distance_meters == pytest.approx(3000)
    assert trip.average_speed_kph == pytest.approx(60)
    assert trip.max_speed_kph == 60


def test_it_finds_the_stops_around_the_trip():
    stops = detect_stops(*ONE_TRIP, rules=CAR)
    assert spans(stops) == [(5, 7)]  # the first two minutes are too short for a stop
    assert stops[0].duration_seconds == 1200
    assert stops[0].latitude == pytest.approx(north(3000))


def test_it_starts_a_trip_at_the_fix_the_vehicle_left_from():
    seconds, meters = [0, 60, 70, 80, 200, 320], [0, 0, 40, 140, 1340, 2540]
    assert spans(detect_trips(*track(seconds, meters, [0, 0, 20, 36, 36, 0]), rules=CAR)) == [(1, 5)]


def test_it_does_not_count_a_long_silence_while_parked_as_driving():
    # the last parked fix is ten minutes old when the first driving one comes
    seconds, meters = [0, 600, 660, 780], [0, 30, 630, 1830]
    assert spans(detect_trips(*track(seconds, meters, [0, 30, 36, 36]), rules=CAR)) == [(1, 3)]


@pytest.mark.parametrize(("stop_seconds", "expected"), [(170, [(0, 7)]), (180, [(0, 3), (4, 7)])])
def test_it_bridges_a_short_stop_and_not_a_long_one(stop_seconds, expected):
    first, second = [0, 60, 120, 180], [180 + stop_seconds + step for step in (0, 60, 120, 180)]
    way = [0, 600, 1200, 1800, 1800, 2400, 3000, 3600]
    assert spans(detect_trips(*track(first + second, way, [36, 36, 36, 0, 0, 36, 36, 0]), rules=CAR)) == expected


def test_it_ends_a_trip_at_the_last_fix_before_a_long_gap():
    seconds = [0, 60, 120, 180, 180 + 1801, 2041, 2101, 2161]
    meters = [0, 600, 1200, 1800, 20_000, 20_600, 21_200, 21_800]
    assert spans(detect_trips(*track(seconds, meters, [36] * 8), rules=CAR)) == [(0, 3), (4, 7)]
    seconds[4:] = [value - 1 for value in seconds[4:]]
    assert spans(detect_trips(*track(seconds, meters, [36] * 8), rules=CAR)) == [(0, 7)]


@pytest.mark.parametrize(
    ("seconds", "meters"),
    [([0, 60, 119], [0, 500, 1000]), ([0, 60, 130], [0, 99, 199]), ([0], [0]), ([], []), ([0, 60], [0, 0])],
)
def test_it_finds_no_trip_that_is_too_short(seconds, meters):
    assert detect_trips(*track(seconds, meters), rules=CAR) == []


def test_it_takes_the_scatter_of_a_parked_receiver_for_no_trip():
    random = np.random.default_rng(1)
    times, latitudes, longitudes, _ = track(np.arange(0, 3600, 2), np.zeros(1800))
    latitudes = latitudes + random.normal(0, 5, 1800) / METERS_PER_DEGREE
    assert detect_trips(times, latitudes, longitudes, rules=CAR) == []
    assert len(detect_stops(times, latitudes, longitudes, rules=CAR)) == 1


def test_it_derives_speeds_only_where_none_was_sent():
    times, latitudes, longitudes, sent = track([0, 10, 20, 30], [0, 100, 200, 300], [NAN, 50, NAN, NAN])
    assert derive_speeds_kph(times, latitudes, longitudes, sent, rules=CAR) == pytest.approx([36, 50, 36, 36], rel=1e-6)
    assert derive_speeds_kph(times[:1], latitudes[:1], longitudes[:1], rules=CAR).tolist() == [0]
    assert derive_speeds_kph([], [], [], rules=CAR).tolist() == []


def test_it_derives_no_speed_over_a_gap_or_from_two_fixes_at_one_instant():
    times, latitudes, longitudes, _ = track([0, 10, 10, 3000], [0, 100, 150, 9000])
    assert derive_speeds_kph(times, latitudes, longitudes, rules=CAR)[2:].tolist() == [0, 0]


JUMPED = track([0, 10, 20, 30, 40], [0, 100, 90_000, 300, 400])


def test_it_sees_a_single_fix_that_jumped_away():
    assert outliers(*JUMPED[:3], rules=CAR).tolist() == [False, False, True, False, False]
    # a real change of place is no outlier: the way past it is as impossible
    assert not outliers(*track([0, 10, 20, 30], [0, 100, 90_000, 90_100])[:3], rules=CAR).any()


def test_it_measures_past_a_jump_as_if_it_were_not_there():
    metrics = whole_figures(*JUMPED, rules=CAR)
    assert metrics.distance_meters == pytest.approx(400)
    assert metrics.max_speed_kph == pytest.approx(36)
    assert metrics.average_speed_kph == pytest.approx(36)


def test_it_does_not_count_a_step_no_vehicle_can_make():
    metrics = whole_figures(*track([0, 10, 20, 30], [0, 100, 90_000, 90_100], [36] * 4), rules=CAR)
    assert metrics.distance_meters == pytest.approx(200)


def test_it_splits_the_time_into_moving_standing_idling_and_gaps():
    seconds = [0, 60, 120, 420, 720, 780, 780 + 7200, 780 + 9000.5]
    meters = [0, 600, 1200, 1203, 1200, 1800, 9800, 9800]
    speeds = [36, 36, 0, 0, 0, 36, 0, 0]
    sent = track(seconds, meters, speeds)
    metrics = whole_figures(*sent, ignition=[1, 1, 1, 0, NAN, 1, 0, 0], rules=CAR)
    assert metrics.moving_seconds == 180
    assert metrics.stopped_seconds == 600 + 1800.5
    assert metrics.idle_seconds == 300
    assert moved_gap_seconds(read_steps(*sent, rules=CAR), sent[0][0] + 1000.0, sent[0][0] + 20_000.0) == 6980
    assert metrics.distance_meters == pytest.approx(1800 + 8000)
    assert metrics.average_speed_kph == pytest.approx(36)


def test_it_counts_a_silence_without_moving_as_standing():
    metrics = whole_figures(*track([0, 36_000], [0, 8], [0, 0]), rules=CAR)
    assert (metrics.stopped_seconds, metrics.distance_meters) == (36_000, 0)


@pytest.mark.parametrize("count", [0, 1])
def test_it_measures_nothing_without_two_fixes(count):
    metrics = whole_figures(*track([0] * count, [0] * count, [50] * count), rules=CAR)
    assert (metrics.distance_meters, metrics.max_speed_kph, metrics.fix_count) == (0, 0, count)
    assert detect_stops(*track([0] * count, [0] * count), rules=CAR) == []


def scatter(count, meters, every_seconds=2.0):
    """A standing receiver whose fixes scatter normally around its place."""
    random = np.random.default_rng(3)
    times, latitudes, longitudes, _ = track(np.arange(count) * every_seconds, np.zeros(count))
    return times, latitudes + random.normal(0, meters, count) / METERS_PER_DEGREE, longitudes, None


def test_the_scatter_of_a_parked_receiver_is_no_driving_time_and_no_distance():
    metrics = whole_figures(*scatter(5000, meters=5), rules=CAR)
    assert metrics.moving_seconds < 60
    assert metrics.distance_meters < 300  # of 28 km from fix to fix


def test_a_tunnel_is_part_of_the_trip():
    # no fix for 20 minutes and 15 km, then on as before
    seconds = [0, 60, 120, 1320, 1380, 1440, 1500, 1800]
    meters = [0, 900, 1800, 16_800, 17_700, 18_600, 18_600, 18_600]
    trips = detect_trips(*track(seconds, meters, [54, 54, 54, 54, 54, 0, 0, 0]), rules=CAR)
    assert spans(trips) == [(0, 5)]
    assert trips[0].distance_meters == pytest.approx(18_600)


def test_a_ferry_crossing_without_fixes_ends_one_trip_and_begins_another():
    # standing on the deck, silent for two hours, ashore 40 km away
    seconds = [0, 60, 120, 180, 600, 600 + 7200, 8100, 8160, 8220, 8280]
    meters = [0, 900, 1800, 1800, 1800, 41_800, 41_800, 42_700, 43_600, 44_500]
    speeds = [54, 54, 0, 0, 0, 0, 54, 54, 54, 54]
    sent = track(seconds, meters, speeds)
    assert spans(detect_trips(*sent, rules=CAR)) == [(0, 2), (6, 9)]
    assert spans(detect_stops(*sent, rules=CAR)) == [(2, 4), (5, 6)]


def test_two_devices_with_one_id_make_no_trips():
    places = [0.0, 400_000.0] * 100
    sent = track(np.arange(200) * 10.0, places, [0.0] * 200)
    assert not outliers(*sent[:3], rules=CAR).any()
    assert detect_trips(*sent, rules=CAR) == []
    assert whole_figures(*sent, rules=CAR).distance_meters == 0


# A walk of 20 minutes at 4 km/h with a fix every 10 s.
WALK = track(np.arange(121) * 10.0, np.arange(121) * 10.0 / 0.9)


def test_a_phone_goes_for_a_walk_where_a_car_stands():
    assert detect_trips(*WALK, rules=CAR) == []
    (walk,) = detect_trips(*WALK, rules=motion_rules("phone"))
    assert (walk.start_index, walk.end_index) == (0, 120)


def test_a_phone_that_is_carried_indoors_stands_there_however_its_position_wanders():
    # ten minutes of walking at 4 km/h, then half an hour at a desk, where fixes stray by 12 m and slowly, as real ones do
    walked, seconds = np.arange(120) * 5.0 / 0.9, np.arange(480) * 5.0
    random, strayed = np.random.default_rng(1), [0.0]
    for step in random.normal(0.0, 12.0 * np.sqrt(1 - 0.9**2), 359):
        strayed.append(strayed[-1] * 0.9 + step)
    sent = track(seconds, np.concatenate([walked, walked[-1] + np.array(strayed)]))
    (walk,) = detect_trips(*sent, rules=motion_rules("phone"))
    assert walk.start_index == 0
    assert walk.end_index == pytest.approx(120, abs=18)  # 90 s
    assert len(detect_stops(*sent, rules=motion_rules("phone"))) == 1


@pytest.mark.parametrize(("kind", "trips"), [("motorcycle", 2), ("car", 1), ("truck", 1)])
def test_how_long_a_stop_ends_a_trip_depends_on_the_kind(kind, trips):
    seconds = [0, 60, 120, 180, 330, 390, 450, 510]
    way = [0, 600, 1200, 1800, 1800, 2400, 3000, 3600]
    found = detect_trips(*track(seconds, way, [36, 36, 36, 0, 0, 36, 36, 0]), rules=motion_rules(kind))
    assert len(found) == trips


def test_every_kind_with_rules_of_its_own_is_a_kind_of_device():
    assert RULES_BY_KIND.keys() <= set(DeviceKind.values)
    assert motion_rules("unheard of") is motion_rules("car")
