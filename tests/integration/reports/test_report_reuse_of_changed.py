"""A ready report is not the answer any more when something that its rows are made of changed, with or without a fix of its
days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone

from reports_app.models import Report
from reports_app.services.generation import generate_report
from reports_app.services.requests import request_report
from tasks_app.ingest.fix import Fix
from tasks_app.models import Event, EventKind, Geofence
from tasks_app.services.devices import refresh_days
from tasks_app.services.devices.odometer import set_odometer
from tasks_app.services.positions.store import store_fixes
from tests.support.reports import DAY, ELEVEN, NEXT_DAY, drive

pytestmark = pytest.mark.django_db
DEPOT = {"type": "Circle", "coordinates": [-45.9, 0.0], "radius_meters": 300}


@pytest.fixture(autouse=True)
def aged(settings):
    """No report is young enough to be reused for its age alone."""
    settings.REPORT_REUSE_SECONDS = 0


def asked(kind, device) -> Report:
    subject = {"fleet": device.fleet} if kind in ("fleet", "daily") else {"device": device}
    return request_report(kind=kind, range_start=DAY, range_end=NEXT_DAY, **subject)


def ready(kind, device) -> Report:
    refresh_days([device], date(2026, 1, 1), date(2026, 12, 31), now=timezone.now())
    report = asked(kind, device)
    generate_report(report.pk)
    assert asked(kind, device).pk == report.pk
    return report


def is_made_again(kind, device, report) -> bool:
    """A fleet's day is made again in its row."""
    refresh_days([device], date(2026, 1, 1), date(2026, 12, 31), now=timezone.now())
    again = asked(kind, device)
    return again.pk != report.pk or again.state != "ready"


def parked(device, first_hour, end_hour) -> None:
    hours = range(first_hour, end_hour, 2)
    track = [Fix(device.unique_id, DAY + timedelta(hours=hour), 0.0, -46.0, speed_kph=0.0) for hour in hours]
    store_fixes(track, received_at=timezone.now())


def drive_on(device, *days) -> None:
    for day in days:
        drive(device, ELEVEN + timedelta(days=day), west=-46.0 + day / 10)


def event(device, kind, at, **more) -> None:
    Event.objects.create(device=device, kind=kind, occurred_at=at, **more)


@pytest.mark.parametrize("kind", ["stops", "route"])
def test_a_stop_that_went_on_for_days_after_is_told_with_its_new_end(device, kind):
    parked(device, 0, 5 * 24)
    report = ready(kind, device)
    parked(device, 5 * 24, 8 * 24)
    assert is_made_again(kind, device, report)


def test_trips_that_ended_are_reused_whatever_was_driven_on_later_days(device):
    drive_on(device, 0, 1, 3)
    report = ready("trips", device)
    drive_on(device, 5)
    assert not is_made_again("trips", device, report)


@pytest.mark.parametrize("kind", ["events", "summary", "fleet", "daily"])
def test_an_event_that_was_noticed_late_is_in_the_report_asked_for_then(device, kind):
    drive(device)
    report = ready(kind, device)
    event(device, EventKind.DEVICE_OFFLINE, NEXT_DAY + timedelta(days=9))
    assert not is_made_again(kind, device, report)
    event(device, EventKind.DEVICE_OFFLINE, ELEVEN)
    assert is_made_again(kind, device, report)


def test_a_visit_whose_end_came_days_after_is_told_with_its_end(device, fleet):
    drive(device)
    depot = Geofence.objects.create(fleet=fleet, name="Depot", area=DEPOT)
    event(device, EventKind.GEOFENCE_ENTER, ELEVEN, geofence=depot)
    report = ready("visits", device)
    event(device, EventKind.GEOFENCE_EXIT, ELEVEN + timedelta(days=5), geofence=depot)
    assert is_made_again("visits", device, report)


def test_an_odometer_that_was_set_by_hand_is_the_one_of_the_report(device):
    drive_on(device, 0, 3)
    report = ready("summary", device)
    drive_on(device, 5)
    assert not is_made_again("summary", device, report)
    set_odometer(device, 5_000_000.0, now=timezone.now())
    assert is_made_again("summary", device, report)


@pytest.mark.parametrize("kind", ["detailed", "visits", "events"])
def test_a_geofence_with_another_name_is_told_by_that(device, fleet, kind):
    depot = Geofence.objects.create(fleet=fleet, name="Depot", area=DEPOT)
    report = ready(kind, device)
    depot.name = "Depot South"
    depot.save()
    assert is_made_again(kind, device, report)


@pytest.mark.parametrize("kind", ["summary", "fleet"])
def test_a_device_with_another_name_is_told_by_that(device, kind):
    report = ready(kind, device)
    device.name = "Van One"
    device.save()
    assert is_made_again(kind, device, report)
