"""A device's page: now, a day with its timeline, where it was at a time, settings; each for those who may."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications_app.models import NotificationPreference, Rule
from tasks_app.models import (
    Device,
    DeviceState,
    Event,
    EventKind,
    Fleet,
    FleetMembership,
    FleetRole,
    Geofence,
    MaintenancePlan,
)
from tasks_app.services.positions.store import store_fixes
from tests.support.reports import DAY, ELEVEN, LATER, drive, fixes

pytestmark = pytest.mark.django_db
# Ana reads in the zone of the fleet, where the drive of tests.support begins at eleven.
ZONE = "America/Sao_Paulo"


@pytest.fixture
def member(operator) -> Client:
    NotificationPreference.objects.create(user=operator, language="en", time_zone=ZONE)
    client = Client()
    client.force_login(operator)
    return client


def url(name: str, *args: object, **query: object) -> str:
    address = reverse(f"pages:{name}", args=args)
    return f"{address}?{'&'.join(f'{key}={value}' for key, value in query.items())}" if query else address


def text_of(answer) -> str:
    assert answer.status_code == 200, answer
    return answer.content.decode()


def test_a_day_tells_its_trips_stops_and_events(member, device, fleet):
    area = {"type": "Circle", "coordinates": [-46.0, 0.0], "radius_meters": 200.0}
    Geofence.objects.create(fleet=fleet, name="Warehouse", area=area)
    drive(device)
    Event.objects.create(device=device, kind=EventKind.ALARM, occurred_at=ELEVEN, data={"alarm": "sos"})
    text = text_of(member.get(url("device_day", device.pk, date="2026-03-02")))
    assert "11:00:00 – 11:10:00" in text
    assert "11.1 km" in text
    assert "From Warehouse to 0.00000, -45.90000" in text
    assert "sos" in text
    assert "at most 66.8 km/h" in text


def test_a_day_without_positions_shows_the_last_ones_place(member, device, fleet):
    assert "No positions are stored of this day." in text_of(member.get(url("device", device.pk)))
    drive(device)
    now = text_of(member.get(url("device", device.pk)))
    assert re.search(r"The last position before is \d+ d \d+ h old, of 2 Mar 2026, 11:31: 0.00000, -45.90000.", now)
    assert f'href="{url("device_day", device.pk, date="2026-03-02")}"' in now
    assert 'id="device-last-map"' in now
    before = text_of(member.get(url("device_day", device.pk, date="2026-02-01")))
    assert "The last position before" not in before
    assert 'id="device-last-map"' not in before
    later = member.get(url("device_day", device.pk, date="2026-03-05"))
    assert later.context["last"]["point"]["longitude"] == pytest.approx(-45.9)


def test_the_place_is_said_by_the_nearest_geofence(member, device, fleet):
    state = DeviceState.objects.create(
        device=device, fix_time=timezone.now(), latitude=-23.55, longitude=-46.63, status="online"
    )
    assert "-23.55000, -46.63000" in text_of(member.get(url("device", device.pk)))
    area = {"type": "Circle", "coordinates": [-46.63, -23.5], "radius_meters": 1000.0}
    Geofence.objects.create(fleet=fleet, name="Depot", area=area)
    assert "4.6 km from Depot (-23.55000, -46.63000)" in text_of(member.get(url("device", device.pk)))
    state.latitude = -23.5
    state.save()
    assert "in Depot (-23.50000, -46.63000)" in text_of(member.get(url("device", device.pk)))


def test_it_leads_to_what_belongs_to_the_device_each_person_to_what_they_may_see(member, page, device, fleet, operator):
    rule = Rule.objects.create(fleet=fleet, name="Night drives", event_kinds=["trip_start"], channels=["in_app"])
    rule.users.add(operator)
    other = Rule.objects.create(fleet=fleet, name="Another van", event_kinds=["trip_start"], channels=["in_app"])
    other.devices.add(Device.objects.create(fleet=fleet, unique_id="else"))
    jobs = f"{reverse('admin:tasks_app_job_changelist')}?q=args.device_id%3A{device.pk}"
    own = [url("reports", device=device.pk), url("device_positions", device.pk), url("events", device="van-1")]
    text, staff_text = (text_of(client.get(url("device", device.pk))) for client in (member, page))
    for address in own:
        assert f'href="{address}' in text
        assert f'href="{address}' in staff_text
    assert (jobs in text, jobs in staff_text) == (False, True)
    for shown in (text, staff_text):
        assert "Night drives" in shown
        assert "Notify ana" in shown
        assert "Another van" not in shown
    rule_page = reverse("admin:notifications_app_rule_change", args=[rule.pk])
    assert (rule_page in text, rule_page in staff_text) == (False, True)
    in_admin = text_of(page.get(reverse("admin:tasks_app_device_change", args=[device.pk])))
    addresses = [address.replace("&amp;", "&") for address in re.findall(r'tk-link tk-push" href="([^"]+)"', in_admin)]
    assert jobs in addresses
    assert len(addresses) == 8
    assert {page.get(address).status_code for address in addresses} == {200}


def test_it_says_where_the_device_was_at_a_time(member, device):
    drive(device)
    text = text_of(member.get(url("device_day", device.pk, date="2026-03-02", at="11:02:30")))
    assert "At 11:02:30: 0.00000, -45.97500." in text
    assert "Between the positions of 11:02:00 and 11:03:00; the one before was 30.0 s old." in text
    assert "It was driving at 67 km/h." in text
    body = member.get(url("device_place", device.pk, date="2026-03-02", at="23:00")).json()
    assert body["sentences"][1] == "The last position is of 11:31:00, 11 h 29 min before; none is stored after it."
    assert (body["seconds"], round(body["longitude"], 5)) == (23 * 3600, -45.9)


def test_the_day_is_that_of_the_readers_zone(member, device, operator):
    drive(device, start=DAY + timedelta(minutes=30))
    assert "00:30:00 – 00:40:00" in text_of(member.get(url("device_day", device.pk, date="2026-03-02")))
    NotificationPreference.objects.filter(user=operator).update(time_zone="UTC")
    assert "03:30:00 – 03:40:00" in text_of(member.get(url("device_day", device.pk, date="2026-03-02")))
    NotificationPreference.objects.filter(user=operator).update(time_zone="America/Los_Angeles")
    assert "19:30:00 – 19:40:00" in text_of(member.get(url("device_day", device.pk, date="2026-03-01")))


def test_a_day_on_which_the_clocks_change_says_so(member, device, operator):
    NotificationPreference.objects.filter(user=operator).update(time_zone="Europe/Berlin")
    assert "this day has 23 hours" in text_of(member.get(url("device_day", device.pk, date="2026-03-29")))
    assert "this day has 25 hours" in text_of(member.get(url("device_day", device.pk, date="2026-10-25")))
    body = member.get(url("device_replay", device.pk, date="2026-10-25")).json()
    assert body["end"] - body["start"] == 25 * 3600
    skipped = text_of(member.get(url("device_day", device.pk, date="2026-03-29", at="02:30")))
    assert "No position of this device is stored." in skipped


def test_a_day_without_positions_says_so(member, device):
    assert "No positions are stored of this day." in text_of(member.get(url("device_day", device.pk)))
    assert member.get(url("device_replay", device.pk)).json()["times"] == []
    assert "No positions are stored of this day." in text_of(member.get(url("device_positions", device.pk)))


@pytest.mark.parametrize(
    "day", ["2026-02-30", "yesterday", "0001-01-01", "9999-12-31", "x" * 10_000, "\u202e😀", "%00"]
)
def test_a_day_that_is_none_is_refused_in_a_sentence(member, device, day):
    text = text_of(member.get(url("device_day", device.pk, date=day)))
    assert "This is no day" in text or "No positions are kept of this year." in text
    assert member.get(url("device_replay", device.pk, date=day)).status_code == 400
    text_of(member.get(url("device_positions", device.pk, date=day, since=day)))


@pytest.mark.parametrize("at", ["25:00", "now", "</script>"])
def test_a_time_that_is_none_is_refused_in_a_sentence(member, device, at):
    assert "This is no time" in text_of(member.get(url("device_day", device.pk, at=at)))
    answer = member.get(url("device_place", device.pk, at=at))
    assert answer.status_code == 400
    assert "This is no time" in answer.json()["sentences"][0]


def test_the_page_begins_with_now(member, device):
    MaintenancePlan.objects.create(device=device, name="Oil", every_days=30, last_done_at=timezone.now())
    assert "it has sent nothing" in text_of(member.get(url("device", device.pk)))
    store_fixes(fixes(device), received_at=LATER)
    text = text_of(member.get(url("device", device.pk)))
    assert "0.00000, -45.90000" in text
    assert "67 km/h" in text
    assert "Oil: 30 days left" in text


def test_the_next_maintenance_is_that_of_the_plan_that_is_used_up_most(member, device, operator):
    NotificationPreference.objects.filter(user=operator).update(distance_unit="mi")
    DeviceState.objects.create(device=device, odometer_meters=8_390_660)
    plans = MaintenancePlan.objects
    plans.create(device=device, name="Tyres", every_kilometers=10_000, last_done_at=timezone.now())
    plans.create(device=device, name="Wash", every_days=30, last_done_at=timezone.now())
    assert "Tyres: 1,000 mi left" in text_of(member.get(url("device", device.pk)))


def test_the_replay_is_within_its_tolerance_and_in_the_readers_unit(member, device, operator):
    drive(device)
    body = member.get(url("device_replay", device.pk, date="2026-03-02")).json()
    assert (body["fix_count"], body["speed_unit"], max(filter(None, body["speeds"]))) == (53, "km/h", 67)
    assert body["tolerance_meters"] <= 10
    assert len(body["times"]) < 10


def test_a_foreign_device_is_unknown_on_every_page(member, foreign, charlie, device):
    stranger = Client()
    stranger.force_login(charlie)
    for name in ("device", "device_day", "device_replay", "device_place", "device_positions", "device_settings"):
        assert member.get(url(name, foreign.pk)).status_code == 404
        assert stranger.get(url(name, device.pk)).status_code == 404
        assert Client().get(url(name, device.pk)).status_code == 302


def test_only_managers_change_settings(member, device, operator):
    assert member.get(url("device_settings", device.pk)).status_code == 403
    assert "Settings" not in text_of(member.get(url("device", device.pk)))
    FleetMembership.objects.filter(user=operator).update(role=FleetRole.MANAGER)
    assert "Settings" in text_of(member.get(url("device", device.pk)))
    form = {"name": "Van 3", "unique_id": device.unique_id, "kind": "van", "speed_limit_kph": "80", "is_active": "on"}
    refused = text_of(member.post(url("device_settings", device.pk), {**form, "speed_limit_kph": "9000"}))
    assert "has-errors" in refused
    both = {**form, "positions_days_to_keep": "30", "keep_positions_forever": "on"}
    assert "not both" in text_of(member.post(url("device_settings", device.pk), both))
    assert member.post(url("device_settings", device.pk), form).status_code == 302
    device.refresh_from_db()
    assert (device.name, device.speed_limit_kph, device.kind) == ("Van 3", 80, "van")


def test_raw_positions_are_listed_page_by_page(member, device):
    store_fixes(fixes(device, minutes=250, start=ELEVEN - timedelta(hours=3)), received_at=LATER)
    first = text_of(member.get(url("device_positions", device.pk, date="2026-03-02")))
    assert first.count("<tr") == 201
    further = first.split('rel="next" href="')[-1].split('"')[0].replace("&amp;", "&")
    assert text_of(member.get(further)).count("<tr") == 52


def test_a_member_of_another_fleet_gets_no_link_to_ask(member, device, operator, make_user):
    assert "Ask for a report of this day" in text_of(member.get(url("device_day", device.pk)))
    viewer = make_user()
    FleetMembership.objects.create(user=viewer, fleet=device.fleet, role=FleetRole.VIEWER)
    FleetMembership.objects.create(user=viewer, fleet=Fleet.objects.create(name="Own"), role=FleetRole.OPERATOR)
    client = Client()
    client.force_login(viewer)
    text = text_of(client.get(url("device_day", device.pk)))
    assert "Ask for a report of this day" not in text
    assert "Its reports" in text
