"""The admin's fields for when news of geofences, overspeed and batteries is told."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from tasks_app.models import Geofence

CIRCLE = {"type": "Circle", "coordinates": [-46.63, -23.55], "radius_meters": 400}
NIGHTS = [{"days": [0, 1, 2, 3, 4], "from": "22:00", "to": "06:00"}]


@pytest.fixture
def page(staff) -> Client:
    client = Client()
    client.force_login(staff)
    return client


def add_geofence(page, fleet, **fields):
    data = {"fleet": fleet.pk, "name": "Depot", "area": json.dumps(CIRCLE), "is_active": "on", **fields}
    return page.post(reverse("admin:tasks_app_geofence_add"), data)


def test_it_stores_tolerance_dwell_and_windows_of_a_geofence(page, fleet):
    answer = add_geofence(page, fleet, tolerance_meters="25", dwell_seconds="60", windows=json.dumps(NIGHTS))
    assert answer.status_code == 302
    geofence = Geofence.objects.get()
    assert (geofence.tolerance_meters, geofence.dwell_seconds, geofence.windows) == (25, 60, NIGHTS)


@pytest.mark.parametrize("windows", ["", "[]"])
def test_a_geofence_without_windows_is_always_told(page, fleet, windows):
    assert add_geofence(page, fleet, windows=windows).status_code == 302
    geofence = Geofence.objects.get()
    assert (geofence.tolerance_meters, geofence.dwell_seconds, geofence.windows) == (None, None, [])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"windows": '[{"days": [7], "from": "22:00", "to": "06:00"}]'}, "from 0 (Monday) to 6 (Sunday)"),
        ({"windows": '[{"days": [1], "from": "25:00", "to": "06:00"}]'}, "must look like 22:00"),
        ({"windows": "{"}, "Enter a valid JSON"),
        ({"windows": '"always"'}, "must be a list"),
        ({"tolerance_meters": "-1"}, "greater than or equal to 0"),
        ({"tolerance_meters": "nan"}, "Enter a number"),
        ({"dwell_seconds": "86401"}, "less than or equal to 86400"),
    ],
)
def test_it_refuses_what_makes_no_sense_and_says_so(page, fleet, fields, said):
    answer = add_geofence(page, fleet, **fields)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not Geofence.objects.exists()


def test_it_stores_the_overspeed_and_battery_settings_of_a_fleet(page, fleet):
    form = page.get(reverse("admin:tasks_app_fleet_change", args=[fleet.pk])).context["adminform"].form
    data = {name: "" if value is None else value for name, value in form.initial.items()}
    data |= {"overspeed_tolerance_kph": "10", "overspeed_min_seconds": "20", "battery_low_percent": "15"}
    data |= {"geofence_tolerance_meters": "30", "geofence_dwell_seconds": "45"}
    for formset in page.get(reverse("admin:tasks_app_fleet_change", args=[fleet.pk])).context["inline_admin_formsets"]:
        prefix = formset.formset.prefix
        data |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    answer = page.post(reverse("admin:tasks_app_fleet_change", args=[fleet.pk]), data)
    assert answer.status_code == 302, answer.context["errors"]
    fleet.refresh_from_db()
    assert (fleet.overspeed_tolerance_kph, fleet.overspeed_min_seconds, fleet.battery_low_percent) == (10, 20, 15)
    assert (fleet.geofence_tolerance_meters, fleet.geofence_dwell_seconds) == (30, 45)
