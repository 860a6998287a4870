"""Where devices are and were: routes as few points, GeoJSON, who is inside an area, who is near."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from rest_framework.test import APIClient

from tasks_app.ingest.registry import parser_for
from tasks_app.models import DeviceState, Fleet, Geofence, Position
from tasks_app.services.partitions import ensure_partitions, forget_known_partitions

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
RANGE = "from=2026-03-01T00:00:00Z&to=2026-03-08T00:00:00Z"


@pytest.fixture
def store_points(db):
    """Store points (latitude, longitude) of a device, a minute apart; the partitions go with the test's transaction."""
    forget_known_partitions()

    def store(device, points, **fields):
        rows = [
            Position(
                device=device,
                fix_time=START + timedelta(minutes=number),
                received_at=START,
                latitude=latitude,
                longitude=longitude,
                **fields,
            )
            for number, (latitude, longitude) in enumerate(points)
        ]
        ensure_partitions(row.fix_time for row in rows)
        Position.objects.bulk_create(rows)
        return rows

    yield store
    forget_known_partitions()


def walk(count: int, seed: int = 7) -> list[tuple[float, float]]:
    steps = np.random.default_rng(seed).normal(0, 1e-3, (count, 2)).cumsum(axis=0)
    return [(-23.5 + north, -46.6 + east) for north, east in steps.tolist()]


def test_it_lists_positions_of_several_devices_in_one_order(api, make_device, store_points, django_assert_num_queries):
    devices = [make_device() for _ in range(3)]
    for seed, device in enumerate(devices):
        store_points(device, walk(20, seed))
    ids = ",".join(str(device.pk) for device in devices)
    url, seen = f"/api/positions?device={ids}&limit=7&{RANGE}", []
    while url:
        with django_assert_num_queries(2):
            page = api.get(url).json()
        seen += [(row["fix_time"], row["device_id"]) for row in page["results"]]
        url = page["next"]
    assert len(seen) == len(set(seen)) == 60
    assert seen == sorted(seen, reverse=True)


def test_one_foreign_device_in_a_list_is_not_found(api, device, make_device):
    foreign = make_device(fleet=Fleet.objects.create(name="Another"))
    assert api.get(f"/api/positions?device={device.pk},{foreign.pk}").status_code == 404


def test_it_thins_a_range_and_keeps_what_matters(api, device, store_points, django_assert_num_queries):
    points = walk(5000)
    points[2500] = (-20.0, -46.6)
    rows = store_points(device, points)
    # Two for the device, one for each two days of the range, one for the rows that were chosen.
    with django_assert_num_queries(6):
        answer = api.get(f"/api/positions?device={device.pk}&max_points=50&{RANGE}").json()
    times = [row["fix_time"] for row in answer["results"]]
    assert (len(times), answer["next"]) == (50, None)
    assert times == sorted(times, reverse=True)
    assert datetime.fromisoformat(times[0]) == rows[-1].fix_time
    assert datetime.fromisoformat(times[-1]) == rows[0].fix_time
    assert -20.0 in [row["latitude"] for row in answer["results"]]


def test_a_range_of_few_positions_is_answered_whole(api, device, store_points):
    rows = store_points(device, walk(30), attributes={"ignition": True})
    answer = api.get(f"/api/positions?device={device.pk}&max_points=500&{RANGE}").json()
    assert len(answer["results"]) == len(rows)
    assert answer["results"][0]["attributes"] == {"ignition": True}


def test_geojson_is_a_line_for_each_device_that_the_import_reads_again(api, make_device, store_points, tmp_path):
    moving, standing, silent = make_device(unique_id="a"), make_device(unique_id="b"), make_device()
    rows = store_points(
        moving, walk(40), speed_kph=36.5, altitude_meters=760.0, course_degrees=90.0, accuracy_meters=4.0
    )
    rows += store_points(standing, [(1.5, 2.5)], speed_kph=0.0)
    answer = api.get(f"/api/positions?device={moving.pk},{standing.pk},{silent.pk}&format=geojson&{RANGE}")
    document = answer.json()
    assert [one["geometry"]["type"] for one in document["features"]] == ["LineString", "Point"]
    assert len(document["features"][0]["geometry"]["coordinates"]) == 40
    path = tmp_path / "again.geojson"
    path.write_bytes(answer.content)
    fixes = list(parser_for(path)(path))
    names = {moving.pk: "a", standing.pk: "b"}
    assert [(fix.device_id, fix.fix_time, fix.latitude, fix.longitude, fix.speed_kph) for fix in fixes] == [
        (names[row.device_id], row.fix_time, row.latitude, row.longitude, row.speed_kph) for row in rows
    ]
    assert {fix.altitude_meters for fix in fixes} == {760.0, None}


def test_geojson_is_cut_at_the_meridian_and_read_again_without_the_cuts(api, device, store_points, tmp_path):
    rows = store_points(device, [(10.0, 179.0), (10.0, 179.8), (20.0, -179.8), (20.0, -179.0)], speed_kph=36.5)
    answer = api.get(f"/api/positions?device={device.pk}&format=geojson&{RANGE}")
    (feature,) = answer.json()["features"]
    assert feature["geometry"] == {
        "type": "MultiLineString",
        "coordinates": [
            [[179.0, 10.0], [179.8, 10.0], [180.0, 15.0]],
            [[-180.0, 15.0], [-179.8, 20.0], [-179.0, 20.0]],
        ],
    }
    assert feature["properties"]["speed_kph"] == [[36.5, 36.5, None], [None, 36.5, 36.5]]
    path = tmp_path / "again.geojson"
    path.write_bytes(answer.content)
    assert [(fix.fix_time, fix.longitude, fix.speed_kph) for fix in parser_for(path)(path)] == [
        (row.fix_time, row.longitude, 36.5) for row in rows
    ]


def test_geojson_of_nothing_is_an_empty_collection(api, device):
    answer = api.get(f"/api/positions?device={device.pk}&format=geojson").json()
    assert answer == {"type": "FeatureCollection", "features": []}


@pytest.mark.parametrize(
    "query",
    [
        "device=",
        "device=0",
        "device=1,",
        "device=-1",
        "device=²",
        "device=9999999999999999999999",
        "device=" + ",".join(map(str, range(1, 23))),
        "device=1&max_points=1",
        "device=1&max_points=5001",
        "device=1&max_points=x",
        "device=1&max_points=10&limit=5",
        "device=1&format=geojson&cursor=x",
        "device=1&format=kml",
        "device=" + ",".join(map(str, range(1, 11))) + "&max_points=2001",
        "device=1,2&cursor=AAAA",
    ],
)
def test_it_names_what_is_wrong_with_a_query_of_positions(staff_api, query, db):
    answer = staff_api.get(f"/api/positions?{query}")
    assert answer.status_code in (400, 404)
    assert answer.json()["code"] == "invalid" or "cursor=AAAA" in query


@pytest.fixture
def place(make_device):
    def put(latitude, longitude, **fields):
        device = make_device(**fields)
        now = datetime.now(UTC)
        DeviceState.objects.create(device=device, fix_time=now, latitude=latitude, longitude=longitude)
        return device

    return put


def names(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [one["device"]["name"] for one in answer.json()["results"]]


def test_it_finds_the_nearest_devices(api, place, make_device, django_assert_num_queries):
    place(-23.50, -46.60, name="here")
    place(-23.51, -46.60, name="near")
    place(-23.90, -46.60, name="far")
    place(51.0, 0.0, name="abroad")
    place(-23.50, -46.60, name="theirs", fleet=Fleet.objects.create(name="Another"))
    DeviceState.objects.create(device=make_device(name="silent"))
    with django_assert_num_queries(2):
        answer = api.get("/api/devices/nearest?lat=-23.5&lon=-46.6")
    assert names(answer) == ["here", "near", "far", "abroad"]
    distances = [one["distance_meters"] for one in answer.json()["results"]]
    assert distances[:2] == pytest.approx([0.0, 1107.5], abs=1)
    assert names(api.get("/api/devices/nearest?lat=-23.5&lon=-46.6&max_distance_meters=2000")) == ["here", "near"]
    assert names(api.get("/api/devices/nearest?lat=-23.5&lon=-46.6&limit=1")) == ["here"]
    assert names(api.get("/api/devices/nearest?lat=-23.5&lon=-46.6&max_distance_meters=0")) == ["here"]


def test_a_corner_of_the_box_is_not_near(api, place):
    place(0.009, 0.009, name="corner")
    assert names(api.get("/api/devices/nearest?lat=0&lon=0&max_distance_meters=1200")) == []
    assert names(api.get("/api/devices/nearest?lat=0&lon=0&max_distance_meters=1500")) == ["corner"]


@pytest.mark.parametrize(
    ("latitude", "longitude", "other"), [(0.0, 179.999, (0.0, -179.999)), (89.999, 0.0, (89.999, 180.0))]
)
def test_near_reaches_over_the_antimeridian_and_the_pole(api, place, latitude, longitude, other):
    place(*other, name="over there")
    query = f"lat={latitude}&lon={longitude}&max_distance_meters=500"
    assert names(api.get(f"/api/devices/nearest?{query}")) == ["over there"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "lat=1",
        "lat=nan&lon=1",
        "lat=1&lon=inf",
        "lat=91&lon=1",
        "lat=1&lon=181",
        "lat=1_0&lon=1",
        "lat=1e999&lon=1",
        "lat=x&lon=1",
        "lat=1&lon=1&limit=0",
        "lat=1&lon=1&limit=101",
        "lat=1&lon=1&max_distance_meters=-1",
        "lat=1&lon=1&max_distance_meters=1e9",
        "lat=1&lon=1&fleet=0",
        "lat=1&lon=1&colour=red",
        "lat=%00&lon=1",
    ],
)
def test_it_names_what_is_wrong_with_a_place(api, query):
    answer = api.get(f"/api/devices/nearest?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_it_says_who_is_inside_a_geofence(api, fleet, place, charlie, django_assert_num_queries):
    area = {"type": "Circle", "coordinates": [-46.6, -23.5], "radius_meters": 400}
    geofence = Geofence.objects.create(fleet=fleet, name="Depot", area=area)
    for number in range(3):
        inside = place(-23.5, -46.6, name=f"in {number}")
        DeviceState.objects.filter(device=inside).update(geofence_ids=[geofence.pk, 999_999_999])
    place(-23.6, -46.6, name="out")
    path = f"/api/geofences/{geofence.pk}/devices"
    with django_assert_num_queries(2):
        answer = api.get(path)
    assert names(answer) == ["in 2", "in 1", "in 0"]
    first = answer.json()["results"][0]
    assert (first["latitude"], first["device"]["fleet_id"]) == (-23.5, fleet.pk)
    page = api.get(f"{path}?limit=2").json()
    assert names(api.get(page["next"])) == ["in 0"]
    foreign = APIClient()
    foreign.force_authenticate(charlie)
    assert foreign.get(path).status_code == 404


def test_the_state_of_a_device_says_all_that_is_known(api, place):
    device = place(1.0, 2.0)
    DeviceState.objects.filter(device=device).update(
        overspeed_since=START, overspeed_limit_kph=80, overspeed_peak_kph=97.5, odometer_meters=12, ignition=True
    )
    state = api.get(f"/api/devices/{device.pk}/state").json()
    assert (state["overspeed_since"], state["overspeed_peak_kph"]) == ("2026-03-01T22:00:00Z", 97.5)
    assert (state["ignition"], state["odometer_meters"], state["offline_since"]) == (True, 12.0, None)
    assert json.dumps(state)
