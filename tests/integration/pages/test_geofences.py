"""Managers draw geofences at /geofences/; what is wrong is said beside the field, and nobody overwrites another's change."""

from __future__ import annotations

import json

import pytest
from django.contrib.admin.models import DELETION, LogEntry
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from tasks_app.models import DeviceState, Fleet, FleetMembership, Geofence
from tasks_app.services.geofences import snapshot

pytestmark = pytest.mark.django_db
CIRCLE = {"type": "Circle", "coordinates": [-46.63, -23.55], "radius_meters": 250.0}
KML = (
    "<kml><Placemark><Polygon><outerBoundaryIs><LinearRing><coordinates>10,50 11,50 11,51 10,50</coordinates>"
    "</LinearRing></outerBoundaryIs></Polygon></Placemark></kml>"
)


@pytest.fixture
def manager(fleet, make_user) -> Client:
    user = make_user(username="mara")
    FleetMembership.objects.create(user=user, fleet=fleet, role="manager")
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def gate(fleet) -> Geofence:
    return Geofence.objects.create(fleet=fleet, name="Gate", area=CIRCLE)


def edit(client: Client, geofence: Geofence, **values: object):
    data = {"name": geofence.name, "area": json.dumps(geofence.area), "is_active": "on", **values}
    return client.post(reverse("pages:geofence_edit", args=[geofence.pk]), data)


def test_a_change_is_saved_and_stands_in_the_history_with_its_author(manager, gate):
    assert edit(manager, gate, name="Main gate", area=KML).status_code == 302
    gate.refresh_from_db()
    assert (gate.name, gate.area["type"]) == ("Main gate", "Polygon")
    text = manager.get(reverse("pages:geofence_edit", args=[gate.pk])).content.decode()
    assert "Name: Gate → Main gate" in text
    assert "Area: Circle, 250 m → Polygon, 4 points" in text
    assert "mara" in text


def test_an_area_that_is_the_same_in_other_words_is_no_change(manager, gate):
    edit(manager, gate, area="CIRCLE (-46.63 -23.55, 250)")
    assert "No fields changed." in manager.get(reverse("pages:geofence_edit", args=[gate.pk])).content.decode()


def test_the_devices_inside_are_named(manager, gate, device):
    DeviceState.objects.create(device=device, geofence_ids=[gate.pk])
    assert "Van 1" in manager.get(reverse("pages:geofence_edit", args=[gate.pk])).content.decode()


@pytest.mark.parametrize("place", ["pages", "admin"])
def test_the_second_of_two_people_is_refused_and_keeps_the_input(manager, page, gate, place):
    client = manager if place == "pages" else page
    name = "pages:geofence_edit" if place == "pages" else "admin:tasks_app_geofence_change"
    address = reverse(name, args=[gate.pk])
    form = client.get(address).context["form" if place == "pages" else "adminform"]
    version = (form if place == "pages" else form.form)["version"].value()
    data = {"name": "Mine", "area": json.dumps(CIRCLE), "fleet": gate.fleet_id, "windows-rows": "0", "version": version}
    gate.name = "Theirs"
    gate.save()
    answer = client.post(address, data)
    assert answer.status_code == 200
    assert "changed by another person" in answer.content.decode()
    assert 'value="Mine"' in answer.content.decode()
    gate.refresh_from_db()
    assert gate.name == "Theirs"
    shown = answer.context["form" if place == "pages" else "adminform"]
    version = (shown if place == "pages" else shown.form)["version"].value()
    assert client.post(address, {**data, "version": version}).status_code == 302


@pytest.mark.parametrize(
    "area",
    ["", "nonsense", "x" * 10_000, "🚚 \u202e", "</script>", "<a>" * 1000, "[" * 100_000, "\x00", '{"type": "Circle"}'],
)
def test_an_area_that_is_none_is_refused_beside_its_field(manager, gate, area):
    answer = edit(manager, gate, area=area)
    assert answer.status_code == 200
    assert answer.context["form"].errors["area"]
    if area.strip("\x00"):
        assert manager.post(reverse("pages:area_text"), {"text": area}).json()["error"]


def test_a_misspelt_width_is_refused_by_the_page_and_the_api_and_an_odd_one_is_no_error_of_the_server(
    manager, gate, device
):
    DeviceState.objects.create(device=device, latitude=-23.5, longitude=-46.6)
    road = {"type": "LineString", "coordinates": [[-46.6, -23.5], [-46.5, -23.5]]}
    for extra in ({"width": 200}, {"radius_meters": "wide"}):
        text = edit(manager, gate, area=json.dumps(road | extra)).content.decode()
        assert f"An area of type LineString has no {next(iter(extra))}." in text
    api = APIClient()
    api.force_authenticate(FleetMembership.objects.get(user__username="mara").user)
    answer = api.patch(f"/api/geofences/{gate.pk}", {"area": road | {"width": 200}}, format="json")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["area"])


def test_a_geofence_is_made_in_a_fleet_one_manages_only(manager, fleet):
    south = Fleet.objects.create(name="South")
    data = {"name": "New", "area": json.dumps(CIRCLE), "is_active": "on"}
    refused = manager.post(reverse("pages:geofence_add"), {**data, "fleet": south.pk})
    assert refused.context["form"].errors["fleet"]
    assert manager.post(reverse("pages:geofence_add"), {**data, "fleet": fleet.pk}).status_code == 302
    again = manager.post(reverse("pages:geofence_add"), {**data, "fleet": fleet.pk})
    assert again.status_code == 200
    assert Geofence.objects.get().fleet == fleet


def test_two_geofences_of_a_fleet_cannot_get_one_name(manager, gate, fleet):
    other = Geofence.objects.create(fleet=fleet, name="Other", area=CIRCLE)
    assert edit(manager, other, name="Gate").status_code == 200


def test_a_geofence_is_deleted_by_a_form(manager, gate):
    assert manager.post(reverse("pages:geofence_delete", args=[gate.pk])).status_code == 302
    assert not Geofence.objects.exists()


@pytest.mark.parametrize("query", ["?q=%00", "?q=" + "x" * 10_000, "?page=nonsense", "?page=-1", "?page=99", "?q=gat"])
def test_the_list_takes_any_question(manager, gate, query):
    assert manager.get(reverse("pages:geofences") + query).status_code == 200


def test_one_that_is_deleted_while_it_is_saved_stays_deleted(manager, gate, monkeypatch):
    def deleted_first(geofence_id):
        Geofence.objects.filter(pk=geofence_id).delete()
        return snapshot(geofence_id)

    monkeypatch.setattr("tasks_app.pages.geofences.editing.snapshot", deleted_first)
    assert edit(manager, gate, name="Main gate").status_code == 404
    assert not Geofence.objects.filter(name="Main gate").exists()


def history_of(client: Client, geofence: Geofence) -> list[tuple[str, str]]:
    shown = client.get(reverse("pages:geofence_edit", args=[geofence.pk])).context["changes"]
    return [(change.user, text) for change in shown for text in change.texts]


def test_the_history_has_changes_by_every_way_with_the_former_values(manager, page, fleet, make_user):
    keeper = make_user(username="kim")
    FleetMembership.objects.create(user=keeper, fleet=fleet, role="manager")
    api = APIClient()
    api.force_authenticate(keeper)
    made = api.post("/api/geofences", {"fleet_id": fleet.pk, "name": "Gate", "area": CIRCLE}, format="json").json()
    gate = Geofence.objects.get(pk=made["id"])
    changed = {"speed_limit_kph": 30, "area": {**CIRCLE, "coordinates": [-46.6, -23.5]}, "is_active": False}
    assert api.patch(f"/api/geofences/{gate.pk}", changed, format="json").status_code == 200
    gate.refresh_from_db()
    edit(manager, gate, is_active="on", speed_limit_kph="30", tolerance_meters="12.5")
    gate.refresh_from_db()
    data = {
        "name": "By staff",
        "area": json.dumps(gate.area),
        "fleet": fleet.pk,
        "windows-rows": "0",
        "is_active": "on",
    }
    address = reverse("admin:tasks_app_geofence_change", args=[gate.pk])
    assert page.post(address, {**data, "speed_limit_kph": "30", "tolerance_meters": "12.5"}).status_code == 302
    assert history_of(manager, gate) == [
        ("staff", "Name: Gate → By staff"),
        ("mara", "Active: no → yes"),
        ("mara", "Tolerance (m): – → 12.5"),
        ("kim", "Area: changed (Circle, 250 m)"),
        ("kim", "Active: yes → no"),
        ("kim", "Speed limit (km/h): – → 30"),
        ("kim", "Added."),
    ]
    assert "Gate → By staff" in page.get(address).content.decode()
    assert api.delete(f"/api/geofences/{gate.pk}").status_code == 204
    assert LogEntry.objects.filter(object_id=str(gate.pk), action_flag=DELETION, user=keeper).count() == 1


def test_the_second_of_two_programs_is_refused_if_it_says_what_it_read(gate, fleet, make_user):
    user = make_user()
    FleetMembership.objects.create(user=user, fleet=fleet, role="manager")
    api, address = APIClient(), f"/api/geofences/{gate.pk}"
    api.force_authenticate(user)
    read = api.get(address).json()["updated_at"]
    body = {"name": "First", "unchanged_since": read}
    first = api.patch(address, body, format="json")
    second = api.patch(address, {**body, "name": "Second"}, format="json")
    assert (first.status_code, second.status_code) == (200, 409)
    assert second.json()["code"] == "changed_meanwhile"
    assert "another person" not in second.json()["detail"]
    assert second.json()["state"] == first.json()["updated_at"]
    assert api.patch(address, {"name": "X", "unchanged_since": "nonsense"}, format="json").status_code == 400
    gate.refresh_from_db()
    assert gate.name == "First"
    again = {"name": "Second", "unchanged_since": first.json()["updated_at"]}
    assert api.patch(address, again, format="json").status_code == 200


@pytest.mark.parametrize("place", ["pages", "admin"])
@pytest.mark.parametrize(
    ("area", "sentence"),
    [
        ("CIRCLE (10 50, 100)", "more than 100 km from every device"),
        ("CIRCLE (-23.55 -46.63, 100)", "latitude and longitude seem to be swapped"),
    ],
)
def test_a_doubted_area_is_stored_once_its_editor_says_that_it_is_right(
    manager, page, gate, device, place, area, sentence
):
    DeviceState.objects.create(device=device, latitude=-23.55, longitude=-46.63)
    client = manager if place == "pages" else page
    name = "pages:geofence_edit" if place == "pages" else "admin:tasks_app_geofence_change"
    address = reverse(name, args=[gate.pk])
    assert 'type="checkbox" name="is_confirmed"' not in client.get(address).content.decode()
    data = {"name": "Gate", "area": area, "fleet": gate.fleet_id, "windows-rows": "0", "is_active": "on"}
    answer = client.post(address, data)
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert 'type="checkbox" name="is_confirmed"' in answer.content.decode()
    gate.refresh_from_db()
    assert gate.area == CIRCLE
    assert client.post(address, {**data, "is_confirmed": "on"}).status_code == 302
    gate.refresh_from_db()
    assert gate.area["radius_meters"] == 100.0
    # An area that is there already is not doubted again.
    assert client.post(address, {**data, "area": json.dumps(gate.area), "name": "Far gate"}).status_code == 302


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "POLYGON ((10 50, 11 51, 11 50, 10 51, 10 50))",
            "A linha da área cruza a si mesma perto da longitude 10.50000, latitude 50.50000.",
        ),
        ('{"type":', "O GeoJSON não pode ser lido na linha 1, coluna 9."),
        ("<kml", "O KML não pode ser lido na linha 1."),
        ("nonsense", "A área não é WKT"),
    ],
)
def test_reasons_are_in_the_language_of_the_reader(manager, gate, text, reason):
    asked = {"headers": {"Accept-Language": "pt-BR"}}
    assert reason in manager.post(reverse("pages:area_text"), {"text": text}, **asked).json()["error"]
    address = reverse("pages:geofence_edit", args=[gate.pk])
    answer = manager.post(address, {"name": "Gate", "area": text}, **asked)
    assert reason in answer.context["form"].errors["area"][0]
