"""Managers draw geofences at /geofences/; what is wrong is said beside the field, and nobody overwrites another's change."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from tasks_app.models import DeviceState, Fleet, FleetMembership, Geofence

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
    assert "Changed Name and Area." in text
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
    version = (form if place == "pages" else form.form).fields["version"].initial
    data = {"name": "Mine", "area": json.dumps(CIRCLE), "fleet": gate.fleet_id, "windows-rows": "0", "version": version}
    gate.name = "Theirs"
    gate.save()
    answer = client.post(address, data)
    assert answer.status_code == 200
    assert "changed by another person" in answer.content.decode()
    assert 'value="Mine"' in answer.content.decode()
    gate.refresh_from_db()
    assert gate.name == "Theirs"
    assert client.post(address, {**data, "version": gate.updated_at.isoformat()}).status_code == 302


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
