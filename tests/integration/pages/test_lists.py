"""Lists of the pages at /: what they show to whom, their filters, their number of queries, and nonsense in their addresses."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from notifications_app.models import NotificationPreference
from tasks_app.models import Command, Device, DeviceState, Event, EventKind, Fleet, FleetMembership, FleetRole, Geofence
from tests.support.notifications import CIRCLE
from tests.support.route_cases import member

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
NONSENSE = ["x" * 10_000, "🚚", "\u202eevil", "</script><b>", "-1", "99999999999999999999", "a\x00b"]
LISTS = {
    "devices": ("q", "fleet", "status", "page"),
    "commands": ("device", "type", "state", "start", "end", "before"),
    "events": ("kind", "device", "geofence", "start", "end", "before"),
    "geofences": ("q", "fleet", "page"),
    "trips": ("device", "date"),
}


@pytest.fixture
def viewer(fleet, make_user):
    return member(make_user, fleet, FleetRole.VIEWER)


@pytest.fixture
def visit(viewer):
    client = Client()
    client.force_login(viewer)

    def get(name, **query):
        answer = client.get(f"{reverse(f'pages:{name}')}?{urlencode(query)}")
        assert answer.status_code == 200
        return answer.content.decode()

    return get


@pytest.fixture
def foreign_device(db):
    fleet = Fleet.objects.create(name="Elsewhere")
    return Device.objects.create(fleet=fleet, unique_id="foreign", name="Foreign van")


def test_devices_are_those_of_the_own_fleets_with_their_state(visit, device, foreign_device):
    DeviceState.objects.create(
        device=device, status="online", speed_kph=42.4, fix_time=AT, attributes={"driverUniqueId": "A-77"}
    )
    text = visit("devices")
    assert "Van 1" in text
    assert "25 Nov 2026, 12:00:00" in text
    assert "42 km/h" in text
    assert "driver A-77" in text
    assert "Foreign" not in text


def test_devices_are_found_by_words_fleet_and_status(visit, make_device, fleet):
    online, silent = make_device(name="Blue van"), make_device(name="Red van", unique_id="86-red")
    DeviceState.objects.create(device=online, status="online")
    for query, shown in [
        ({"q": "van blue"}, {"Blue van"}),
        ({"q": "86-RED"}, {"Red van"}),
        ({"status": "online"}, {"Blue van"}),
        ({"status": "unknown"}, {"Red van"}),
        ({"fleet": fleet.pk}, {"Blue van", "Red van"}),
        ({"q": "lorry"}, set()),
    ]:
        text = visit("devices", **query)
        assert {name for name in (online.name, silent.name) if name in text} == shown, query


def test_a_foreign_fleet_or_geofence_in_a_filter_is_refused_beside_its_field(visit, foreign_device):
    foreign = Geofence.objects.create(fleet=foreign_device.fleet, name="Secret yard", area=CIRCLE)
    assert "Select a valid choice" in visit("devices", fleet=foreign_device.fleet_id)
    text = visit("events", geofence=foreign.pk)
    assert "Select a valid choice" in text
    assert "Secret yard" not in text


def test_speeds_are_in_the_units_of_the_reader(visit, viewer, device):
    NotificationPreference.objects.create(user=viewer, speed_unit="mph")
    DeviceState.objects.create(device=device, status="online", speed_kph=100)
    assert "62 mph" in visit("devices")


@pytest.mark.parametrize("count", [3, 120])
def test_the_list_of_devices_takes_the_same_few_queries_for_any_number(
    visit, make_device, count, django_assert_max_num_queries
):
    states = [DeviceState(device=make_device(), status="online") for _ in range(count)]
    DeviceState.objects.bulk_create(states)
    visit("devices")
    with django_assert_max_num_queries(9):
        visit("devices")


def test_long_lists_have_pages(visit, make_device):
    for number in range(60):
        make_device(name=f"Lorry {number:03d}")
    assert "Page 1 of 2" in visit("devices")
    text = visit("devices", page=2, q="lorry")
    assert "Lorry 059" in text
    assert "Lorry 001" not in text
    assert "?q=lorry&amp;page=1" in text


def test_events_are_newest_first_and_go_on_where_the_page_before_ended(visit, device):
    for number in range(120):
        Event.objects.create(device=device, kind=EventKind.ALARM, occurred_at=AT, data={"alarm": f"alarm {number:03d}"})
    text = visit("events")
    shown = []
    while True:
        shown += [number for number in range(119, -1, -1) if f"alarm {number:03d}" in text]
        if 'rel="next"' not in text:
            break
        address = text.split('rel="next" href="?before=')[1].split('"')[0]
        text = visit("events", before=address)
    assert shown == list(range(119, -1, -1))


def test_events_are_found_by_kind_device_geofence_and_time(visit, viewer, make_device, fleet, foreign_device):
    NotificationPreference.objects.create(user=viewer, time_zone="America/Sao_Paulo")
    device, other = make_device(name="Van 1"), make_device(name="Van 10")
    depot = Geofence.objects.create(fleet=fleet, name="Depot", area=CIRCLE)
    rows = {
        "sos": Event(device=device, kind="alarm", occurred_at=AT, data={"alarm": "sos"}),
        "inside": Event(
            device=other,
            kind="geofence_enter",
            occurred_at=AT - timedelta(hours=2),
            geofence=depot,
            data={"alarm": "inside"},
        ),
        "foreign": Event(device=foreign_device, kind="alarm", occurred_at=AT, data={"alarm": "foreign"}),
    }
    Event.objects.bulk_create(rows.values())
    for query, shown in [
        ({}, {"sos", "inside"}),
        ({"kind": "alarm"}, {"sos"}),
        ({"device": "van 1"}, {"sos"}),
        ({"device": "van"}, {"sos", "inside"}),
        ({"geofence": depot.pk}, {"inside"}),
        # Noon in UTC is 9:00 for this reader.
        ({"start": "2026-11-25T08:30", "end": "2026-11-25T09:30"}, {"sos"}),
        ({"end": "2026-11-25T08:30"}, {"inside"}),
        # 11:00 in UTC, at an offset that PostgreSQL does not take; and a time after the last one.
        ({"start": "2026-11-24T11:30:00-23:30"}, {"sos"}),
        ({"start": "9999-12-31T23:59:59-23:59"}, set()),
    ]:
        text = visit("events", **query)
        assert {word for word in ("sos", "inside", "foreign") if word in text} == shown, query


def test_a_range_that_ends_before_it_begins_says_so(visit):
    assert "The end must be after the beginning." in visit("events", start="2026-11-25T09:30", end="2026-11-25T09:00")


def command_to(device, **fields):
    fields = {"type": "reboot", "state": "done", "expires_at": AT, **fields}
    command = Command.objects.create(device=device, **fields)
    Command.objects.filter(pk=command.pk).update(created_at=fields.get("created_at", AT))
    return command


def test_commands_are_those_to_the_own_fleets_found_by_device_type_state_and_time(visit, make_device, foreign_device):
    device, other = make_device(name="Van 1"), make_device(name="Van 10")
    rows = {
        "done": command_to(device),
        "asked": command_to(other, type="position_request", state="queued", created_at=AT - timedelta(hours=2)),
        "foreign": command_to(foreign_device),
    }
    address = {name: reverse("pages:command", args=[command.pk]) for name, command in rows.items()}
    for query, shown in [
        ({}, {"done", "asked"}),
        ({"device": "van 1"}, {"done"}),
        ({"device": "VAN"}, {"done", "asked"}),
        ({"device": "foreign"}, set()),
        ({"type": "position_request"}, {"asked"}),
        ({"state": "done"}, {"done"}),
        ({"start": "2026-11-25T11:00", "end": "2026-11-25T13:00"}, {"done"}),
        ({"end": "2026-11-25T11:00"}, {"asked"}),
    ]:
        text = visit("commands", **query)
        assert {name for name in rows if f'"{address[name]}"' in text} == shown, query
        assert "Foreign" not in text


def test_a_list_of_commands_offers_to_cancel_where_the_role_allows_it_and_watches_those_not_ended(
    visit, viewer, device
):
    waiting, done = command_to(device, state="queued"), command_to(device)
    cancel = reverse("pages:command_cancel", args=[waiting.pk])
    text = visit("commands")
    assert cancel not in text
    assert f'data-commands="?command_id={waiting.pk}"' in text
    FleetMembership.objects.filter(user=viewer).update(role=FleetRole.OPERATOR)
    text = visit("commands")
    assert cancel in text
    assert reverse("pages:command_cancel", args=[done.pk]) not in text


def test_commands_go_on_where_the_page_before_ended_in_a_few_queries(visit, device, django_assert_max_num_queries):
    Command.objects.bulk_create(Command(device=device, type="reboot", state="done", expires_at=AT) for _ in range(60))
    visit("commands")
    with django_assert_max_num_queries(9):
        text = visit("commands")
    assert text.count("<tr data-command=") == 50
    address = text.split('rel="next" href="?before=')[1].split('"')[0]
    older = visit("commands", before=address)
    assert older.count("<tr data-command=") == 10
    assert 'rel="next"' not in older


def test_geofences_are_those_of_the_own_fleets(visit, fleet, foreign_device):
    Geofence.objects.create(fleet=fleet, name="Depot", area=CIRCLE, speed_limit_kph=30)
    Geofence.objects.create(fleet=foreign_device.fleet, name="Secret yard", area=CIRCLE)
    text = visit("geofences")
    assert "Depot" in text
    assert "30 km/h" in text
    assert "Secret yard" not in text
    assert "Nothing matches" in visit("geofences", q="harbour")


def test_trips_are_those_of_a_device_on_a_day(visit, device, foreign_device):
    assert "There is no trip on this day." in visit("trips", device="van-1", date="2026-11-25")
    assert "No device of your fleets is called this." in visit("trips", device="foreign", date="2026-11-25")


def test_a_name_that_several_devices_have_asks_for_the_identifier(visit, make_device):
    make_device(name="Van 7")
    make_device(name="Van 7")
    assert "write the identifier" in visit("trips", device="van 7", date="2026-11-25")


@pytest.mark.parametrize("name", sorted(LISTS))
@pytest.mark.parametrize("value", NONSENSE, ids=ascii)
def test_nonsense_in_an_address_is_answered_with_a_page(visit, device, name, value):
    for parameter in LISTS[name]:
        text = visit(
            name,
            **{"device": "van-1", "date": "2026-11-25", parameter: value} if name == "trips" else {parameter: value},
        )
        assert "</script><b>" not in text


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "1970-01-01"])
def test_a_day_at_the_edge_of_the_calendar_is_refused(visit, device, day):
    assert "There are no positions of that day." in visit("trips", device="van-1", date=day)


def test_an_empty_list_says_what_belongs_there_and_how_it_comes(charlie):
    client = Client()
    client.force_login(charlie)
    for name in ("devices", "events", "commands", "geofences"):
        assert "Nothing here yet" in client.get(reverse(f"pages:{name}")).content.decode()


def test_members_find_only_pages_that_they_may_see_in_the_navigation(visit, charlie):
    assert f'href="{reverse("pages:devices")}"' in visit("home")
    client = Client()
    client.force_login(charlie)
    assert f'<a href="{reverse("pages:devices")}"' not in client.get("/").content.decode()


def test_a_browser_finds_what_it_needs_to_install_the_pages(client):
    assert f'<link rel="manifest" href="{reverse("pages:manifest")}">' in client.get("/login/").content.decode()
    answer = client.get(reverse("pages:manifest"))
    assert answer.headers["Content-Type"] == "application/manifest+json"
    body = answer.json()
    assert (body["start_url"], body["display"]) == ("/", "standalone")
    for icon in body["icons"]:
        name = icon["src"].rpartition("/")[2]
        picture = (Path(settings.BASE_DIR) / "tasks_app" / "static" / "tasks_app" / name).read_bytes()
        width, height = struct.unpack(">II", picture[16:24])
        assert icon["sizes"] == f"{width}x{height}"
