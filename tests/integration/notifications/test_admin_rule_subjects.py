"""The admin's fields for about notifications of geofences, overspeed and batteries."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from tasks_app.models import Geofence

CIRCLE = {"type": "Circle", "coordinates": [-46.63, -23.55], "radius_meters": 400}
NIGHTS = [{"days": [0, 1, 2, 3, 4], "from": "22:00", "to": "06:00"}]


def add_geofence(page, fleet, **fields):
    data = {"fleet": fleet.pk, "name": "Depot", "area": json.dumps(CIRCLE), "is_active": "on", **fields}
    return page.post(reverse("admin:tasks_app_geofence_add"), data)


def rows(windows):
    """Return the fields that the form posts for these windows."""
    fields = {"windows-rows": str(len(windows))}
    for number, window in enumerate(windows):
        fields |= {f"windows-{number}-{name}": window[name] for name in ("days", "from", "to")}
    return fields


def test_it_stores_tolerance_dwell_and_windows_of_a_geofence(page, fleet):
    answer = add_geofence(page, fleet, tolerance_meters="25", dwell_seconds="60", **rows(NIGHTS))
    assert answer.status_code == 302
    geofence = Geofence.objects.get()
    assert (geofence.tolerance_meters, geofence.dwell_seconds, geofence.windows) == (25, 60, NIGHTS)


@pytest.mark.parametrize("fields", [{}, {"windows-rows": "2"}, {"windows-rows": "x"}, {"windows-rows": "99999999"}])
def test_a_geofence_without_windows_is_always_notified(page, fleet, fields):
    assert add_geofence(page, fleet, **fields).status_code == 302
    geofence = Geofence.objects.get()
    assert (geofence.tolerance_meters, geofence.dwell_seconds, geofence.windows) == (None, None, [])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (rows([{"days": [7], "from": "22:00", "to": "06:00"}]), "from 0 (Monday) to 6 (Sunday)"),
        (rows([{"days": [1, 1], "from": "22:00", "to": "06:00"}]), "different numbers"),
        (rows([{"days": [1], "from": "25:00", "to": "06:00"}]), "must look like 22:00"),
        (rows([{"days": [], "from": "22:00", "to": "06:00"}]), "Window 1: choose at least one day."),
        (rows([{"days": [1], "from": "", "to": "06:00"}]), "Window 1: give both times."),
        (rows(NIGHTS * 51), "at most 50"),
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


def test_windows_are_shown_as_rows_and_saving_them_as_they_are_changes_nothing(page, fleet):
    stored = [*NIGHTS, {"days": [6], "from": "12:00", "to": "24:00"}]
    geofence = Geofence.objects.create(fleet=fleet, name="Depot", area=CIRCLE, windows=stored)
    url = reverse("admin:tasks_app_geofence_change", args=[geofence.pk])
    answer = page.get(url)
    shown = answer.content.decode()
    assert shown.count('class="tk-window"') == 4
    assert shown.count(" checked") >= 6
    form = answer.context["adminform"].form
    assert not form.fields["windows"].has_changed(stored, [*NIGHTS, {"days": ["6"], "from": "12:00", "to": "00:00"}])


def test_what_was_filled_in_is_still_there_beside_the_reason_why_not(page, fleet):
    shown = add_geofence(page, fleet, **rows([{"days": ["2"], "from": "08:30", "to": ""}])).content.decode()
    assert 'name="windows-0-from" value="08:30"' in shown
    assert 'name="windows-0-days" value="2" checked' in shown
