"""Fleets, devices and geofences through the API: made, changed, deleted, by those who may."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tasks_app.models import Device, DeviceState, Fleet, FleetMembership, FleetRole, Geofence
from tests.support.rights import give

pytestmark = pytest.mark.django_db
CIRCLE = {"type": "Circle", "coordinates": [-46.63, -23.55], "radius_meters": 400}


def client_of(user) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def member(make_user, fleet, role) -> APIClient:
    user = make_user()
    FleetMembership.objects.create(user=user, fleet=fleet, role=role)
    return client_of(user)


@pytest.fixture
def manager(make_user, fleet) -> APIClient:
    return member(make_user, fleet, FleetRole.MANAGER)


@pytest.fixture
def geofence(fleet) -> Geofence:
    return Geofence.objects.create(fleet=fleet, name="Depot", area=CIRCLE)


def body_of(kind: str, fleet: Fleet) -> dict:
    return {
        "devices": {"fleet_id": fleet.pk, "unique_id": "new-1", "name": "New"},
        "geofences": {"fleet_id": fleet.pk, "name": "New", "area": CIRCLE},
    }[kind]


@pytest.mark.parametrize("kind", ["devices", "geofences"])
def test_managers_and_staff_make_them_others_may_not(kind, fleet, manager, staff_api, api, make_user, charlie):
    viewer = member(make_user, fleet, FleetRole.VIEWER)
    codes = [client.post(f"/api/{kind}", body_of(kind, fleet), format="json") for client in (api, viewer)]
    assert [answer.status_code for answer in codes] == [403, 403]
    assert client_of(charlie).post(f"/api/{kind}", body_of(kind, fleet), format="json").status_code == 404
    made = manager.post(f"/api/{kind}", body_of(kind, fleet), format="json")
    assert made.status_code == 201, made.content
    assert made.json()["fleet_id"] == fleet.pk
    again = staff_api.post(f"/api/{kind}", body_of(kind, fleet), format="json")
    assert (again.status_code, again.json()["code"]) == (400, "invalid")
    assert manager.get(f"/api/{kind}/{made.json()['id']}").json() == made.json()


@pytest.mark.parametrize("kind", ["devices", "geofences", "fleets"])
def test_what_is_not_yours_does_not_exist(kind, device, geofence, fleet, charlie):
    row = {"devices": device, "geofences": geofence, "fleets": fleet}[kind]
    path = f"/api/{kind}/{row.pk}"
    client = client_of(charlie)
    answers = [client.get(path), client.patch(path, {"name": "Mine"}, format="json"), client.delete(path)]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert client.get(f"/api/{kind}").json()["results"] == []
    row.refresh_from_db()
    assert row.name != "Mine"


@pytest.mark.parametrize("kind", ["devices", "geofences", "fleets"])
def test_managers_change_what_operators_may_only_look_at(kind, device, geofence, fleet, manager, api):
    row = {"devices": device, "geofences": geofence, "fleets": fleet}[kind]
    path = f"/api/{kind}/{row.pk}"
    assert api.get(path).status_code == 200
    assert api.patch(path, {"name": "Renamed"}, format="json").status_code == 403
    changed = manager.patch(path, {"name": "Renamed", "speed_limit_kph": 80}, format="json")
    assert (changed.status_code, changed.json()["name"], changed.json()["speed_limit_kph"]) == (200, "Renamed", 80.0)
    row.refresh_from_db()
    assert (row.name, row.speed_limit_kph) == ("Renamed", 80.0)


def test_staff_need_the_permission_of_the_model(device, make_user):
    helper = make_user(is_staff=True)
    path = f"/api/devices/{device.pk}"
    assert client_of(helper).get(path).status_code == 404
    helper = give(helper, "tasks_app.view_device")
    assert client_of(helper).get(path).status_code == 200
    assert client_of(helper).patch(path, {"name": "Other"}, format="json").status_code == 403
    helper = give(helper, "tasks_app.change_device")
    assert client_of(helper).patch(path, {"name": "Other"}, format="json").status_code == 200


def test_fleets_are_made_and_deleted_by_staff(staff_api, manager, fleet, device):
    assert manager.post("/api/fleets", {"name": "South"}, format="json").status_code == 403
    made = staff_api.post("/api/fleets", {"name": "South", "time_zone": "Europe/Berlin"}, format="json")
    assert (made.status_code, made.json()["time_zone"]) == (201, "Europe/Berlin")
    assert staff_api.delete(f"/api/fleets/{made.json()['id']}").status_code == 204
    assert manager.delete(f"/api/fleets/{fleet.pk}").status_code == 403
    used = staff_api.delete(f"/api/fleets/{fleet.pk}")
    assert (used.status_code, used.json()["code"]) == (409, "in_use")
    assert Fleet.objects.get() == fleet


def test_a_device_moves_only_into_a_fleet_one_manages_too(manager, device, fleet, make_user):
    foreign = Fleet.objects.create(name="Foreign")
    path, body = f"/api/devices/{device.pk}", {"fleet_id": foreign.pk}
    assert manager.patch(path, body, format="json").status_code == 404
    own = FleetMembership.objects.get(fleet=fleet)
    membership = FleetMembership.objects.create(user=own.user, fleet=foreign, role=FleetRole.OPERATOR)
    assert manager.patch(path, body, format="json").status_code == 403
    membership.role = FleetRole.MANAGER
    membership.save()
    assert manager.patch(path, body, format="json").json()["fleet_id"] == foreign.pk


def test_a_geofence_stays_in_its_fleet(manager, geofence):
    other = Fleet.objects.create(name="Other")
    answer = manager.patch(f"/api/geofences/{geofence.pk}", {"fleet_id": other.pk}, format="json")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["fleet_id"])


def test_deleting_a_device_or_a_geofence_leaves_nothing(manager, device, geofence):
    DeviceState.objects.create(device=device)
    assert manager.delete(f"/api/devices/{device.pk}").status_code == 204
    assert manager.delete(f"/api/geofences/{geofence.pk}").status_code == 204
    assert [model.objects.count() for model in (Device, DeviceState, Geofence)] == [0, 0, 0]


WKT_AREAS = {
    "standard": ("POLYGON ((10 50, 11 50, 11 51, 10 50))", {}, [[10, 50], [11, 50], [11, 51], [10, 50]]),
    "traccar": (
        "POLYGON ((50 10, 50 11, 51 11, 50 10))",
        {"wkt_order": "latlon"},
        [[10, 50], [11, 50], [11, 51], [10, 50]],
    ),
}


@pytest.mark.parametrize("name", WKT_AREAS)
def test_an_area_may_be_wkt_in_either_order(name, manager, fleet):
    text, more, ring = WKT_AREAS[name]
    body = {"fleet_id": fleet.pk, "name": "W", "area": text, **more}
    made = manager.post("/api/geofences", body, format="json")
    assert made.json()["area"] == {"type": "Polygon", "coordinates": [ring]}, made.content
    assert Geofence.objects.get().area["coordinates"] == [ring]


def test_traccars_circles_and_corridors_come_as_they_are(manager, geofence):
    path = f"/api/geofences/{geofence.pk}"
    circle = {"area": "CIRCLE (59.932 30.330, 200)", "wkt_order": "latlon"}
    assert manager.patch(path, circle, format="json").json()["area"] == {
        "type": "Circle",
        "coordinates": [30.33, 59.932],
        "radius_meters": 200.0,
    }
    line = {"area": "LINESTRING (59.9 30.3, 59.8 30.3)", "wkt_order": "latlon", "corridor_width_meters": 60}
    area = manager.patch(path, line, format="json").json()["area"]
    assert (area["type"], area["width_meters"], area["coordinates"][0]) == ("LineString", 60.0, [30.3, 59.9])
    for body, wrong in (
        ({"corridor_width_meters": 80}, "corridor_width_meters"),
        ({"area": CIRCLE, "wkt_order": "latlon"}, "wkt_order"),
        ({**circle, "corridor_width_meters": 80}, "corridor_width_meters"),
    ):
        answer = manager.patch(path, body, format="json")
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [wrong])


BAD_BODIES = {
    ("devices", "no name"): {"unique_id": "x"},
    ("devices", "unknown field"): {"unique_id": "x", "name": "X", "colour": "red"},
    ("devices", "number as name"): {"unique_id": "x", "name": 5},
    ("devices", "NUL"): {"unique_id": "x\x00", "name": "X"},
    ("devices", "control character"): {"unique_id": "x\x01", "name": "X"},
    ("devices", "long id"): {"unique_id": "x" * 129, "name": "X"},
    ("devices", "unknown kind"): {"unique_id": "x", "name": "X", "kind": "boat"},
    ("devices", "text as limit"): {"unique_id": "x", "name": "X", "speed_limit_kph": "80"},
    ("devices", "limit too high"): {"unique_id": "x", "name": "X", "speed_limit_kph": 501},
    ("devices", "negative minutes"): {"unique_id": "x", "name": "X", "offline_after_minutes": -1},
    ("devices", "huge minutes"): {"unique_id": "x", "name": "X", "offline_after_minutes": 2**40},
    ("devices", "bool as minutes"): {"unique_id": "x", "name": "X", "offline_after_minutes": True},
    ("devices", "text as bool"): {"unique_id": "x", "name": "X", "is_active": "yes"},
    ("devices", "bool as fleet"): {"unique_id": "x", "name": "X", "fleet_id": True},
    ("devices", "fleet 0"): {"unique_id": "x", "name": "X", "fleet_id": 0},
    ("geofences", "no area"): {"name": "X"},
    ("geofences", "null area"): {"name": "X", "area": None},
    ("geofences", "list area"): {"name": "X", "area": [1]},
    ("geofences", "no WKT"): {"name": "X", "area": "somewhere"},
    ("geofences", "wrong way round"): {"name": "X", "area": "POLYGON ((50 100, 50 101, 51 101, 50 100))"},
    ("geofences", "crossing itself"): {"name": "X", "area": "POLYGON ((10 50, 11 51, 11 50, 10 51, 10 50))"},
    ("geofences", "order"): {"name": "X", "area": CIRCLE, "wkt_order": "northsouth"},
    ("geofences", "a change"): {"name": "X", "area": CIRCLE, "unchanged_since": "2026-01-01"},
    ("geofences", "radius"): {"name": "X", "area": {**CIRCLE, "radius_meters": -1}},
    ("geofences", "NUL in area"): {"name": "X", "area": {**CIRCLE, "note": "\x00"}},
    ("geofences", "name too long"): {"name": "x" * 101, "area": CIRCLE},
    ("fleets", "unknown zone"): {"name": "X", "time_zone": "Mars/Base"},
    ("fleets", "the zone of a machine"): {"name": "X", "time_zone": "localtime"},
    ("fleets", "same name"): {"name": "Depot North"},
}


@pytest.mark.parametrize(("kind", "name"), BAD_BODIES)
def test_it_names_what_is_wrong_with_a_body(kind, name, fleet, staff_api):
    body = BAD_BODIES[kind, name]
    answer = staff_api.post(f"/api/{kind}", body if kind == "fleets" else {"fleet_id": fleet.pk, **body}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.content
    assert answer.json()["fields"]
    assert [model.objects.count() for model in (Device, Geofence)] == [0, 0]


def test_a_change_is_checked_like_a_new_row(manager, device, make_device):
    make_device(unique_id="taken")
    path = f"/api/devices/{device.pk}"
    for body in ({"unique_id": "taken"}, {"name": ""}, {"name": None}, {"kind": "boat"}, {"id": 5, "x": 1}, []):
        assert manager.patch(path, body, format="json").status_code == 400
    assert manager.patch(path, {"speed_limit_kph": None}, format="json").json()["speed_limit_kph"] is None


def test_it_lists_in_a_bounded_number_of_queries(api, fleet, make_device, django_assert_num_queries):
    for number in range(5):
        Geofence.objects.create(fleet=fleet, name=f"G{number}", area=CIRCLE)
        DeviceState.objects.create(device=make_device())
    for path in ("/api/fleets", "/api/geofences", "/api/devices"):
        with django_assert_num_queries(1):
            assert api.get(path).json()["results"]
    assert len(api.get(f"/api/geofences?fleet={fleet.pk}&limit=3").json()["results"]) == 3
    device = Device.objects.latest("id")
    with django_assert_num_queries(2):
        api.get(f"/api/devices/{device.pk}")


@pytest.mark.parametrize("status", ["unknown", "online", "offline"])
def test_devices_are_found_by_the_status_that_they_show(api, make_device, status):
    make_device()
    for known in ("unknown", "online", "offline"):
        DeviceState.objects.create(device=make_device(), status=known)
    shown = api.get("/api/devices").json()["results"]
    found = api.get(f"/api/devices?status={status}").json()["results"]
    assert found == [one for one in shown if one["status"] == status]
