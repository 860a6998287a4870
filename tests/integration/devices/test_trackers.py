"""Connected trackers, unknown ones and their last frames: in the admin, in the API, and on a device's page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from tasks_app.engine.metrics import send_counts
from tasks_app.models import Device, DeviceAccess, Fleet, FleetRole
from tasks_app.queries.trackers import RawFrame, SessionDescription
from tasks_app.services.trackers import (
    ACKNOWLEDGED,
    BYTES,
    FRAMES,
    REFUSED,
    SessionOpening,
    beat,
    close_sessions,
    keep_raw_frames,
    note_unknown,
    open_sessions,
)
from tests.support.rights import give
from tests.support.route_cases import member

pytestmark = pytest.mark.django_db
NODE = "host:1:abc"
SINCE = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


def connect(device: Device, *, protocol: str = "h02", address: str = "203.0.113.7:4000") -> int:
    beat(NODE)
    now = timezone.now()
    description = SessionDescription(device.pk, protocol, "tcp", SINCE, now, address, 12_345, 678, 90)
    (fence,) = open_sessions(NODE, [SessionOpening(device.unique_id, description)])
    return fence


@pytest.fixture
def page(staff) -> Client:
    client = Client()
    client.force_login(staff)
    return client


@pytest.fixture
def looker(make_user) -> Client:
    """Staff that may view devices and no more."""
    client = Client()
    client.force_login(give(make_user(is_staff=True), "tasks_app.view_device"))
    return client


def shown(client: Client, query: str = "") -> str:
    answer = client.get(reverse("trackers") + query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_shows_who_is_connected_from_where_and_with_what(page, device):
    connect(device)
    context = page.get(reverse("trackers")).context
    (row,) = context["rows"]
    assert (row["name"], row["tracker"].address, row["frames"]) == (device.name, "203.0.113.7:4000", "90")
    assert (context["connected_count"], context["node_count"]) == (1, 1)
    text = shown(page)
    assert reverse("admin:tasks_app_device_change", args=[device.pk]) in text
    assert "203.0.113.7:4000" in text


def test_a_tracker_that_left_is_not_shown(page, device):
    fence = connect(device)
    close_sessions(NODE, [(device.unique_id, fence)])
    assert page.get(reverse("trackers")).context["rows"] == []


def test_the_list_is_filtered_by_device_address_and_protocol(page, make_device):
    van, bus = make_device(name="Van 7"), make_device(name="Bus 9")
    connect(van, protocol="h02", address="203.0.113.7:1")
    connect(bus, protocol="gt06", address="198.51.100.9:2")
    for query, names in {
        "?q=van+7": ["Van 7"],
        "?q=198.51": ["Bus 9"],
        f"?q={bus.unique_id}": ["Bus 9"],
        "?q=nothing": [],
        "": sorted(["Bus 9", "Van 7"]),
    }.items():
        context = page.get(reverse("trackers") + query).context
        assert sorted(row["name"] for row in context["rows"]) == names, query


def test_a_protocol_that_is_none_is_an_error_beside_the_field(page, device):
    connect(device)
    answer = page.get(reverse("trackers") + "?protocol=nonsense")
    assert answer.status_code == 200
    assert answer.context["form"].errors["protocol"]


def test_long_lists_have_pages(page, make_device):
    for number in range(51):
        connect(make_device(name=f"Van {number}"))
    first = page.get(reverse("trackers")).context
    assert len(first["rows"]) == 50
    second = page.get(reverse("trackers") + "?page=2").context
    assert len(second["rows"]) == 1
    assert "?page=2" in shown(page)


def test_unknown_identifiers_lead_to_a_form_that_knows_them(page):
    note_unknown({"861971050039361": ("queclink", "203.0.113.7", 3)}, now=timezone.now())
    (row,) = page.get(reverse("trackers")).context["unknown_rows"]
    form = page.get(row["url"]).content.decode()
    assert 'value="861971050039361"' in form


def test_an_identifier_whose_device_was_added_is_unknown_no_more(page, device):
    note_unknown({device.unique_id: ("queclink", "203.0.113.7", 3)}, now=timezone.now())
    assert page.get(reverse("trackers")).context["unknown_rows"] == []


def test_only_those_who_may_add_devices_see_unknown_identifiers(looker, device):
    note_unknown({"861971050039361": ("queclink", "203.0.113.7", 3)}, now=timezone.now())
    connect(device)
    text = shown(looker)
    assert device.name in text
    assert "861971050039361" not in text
    assert reverse("tracker_frames", args=[device.pk]) not in text


def test_the_pages_are_for_those_who_may_see_devices_and_frames_for_superusers(looker, page, make_user, device):
    nobody = Client()
    nobody.force_login(make_user(is_staff=True))
    frames = reverse("tracker_frames", args=[device.pk])
    assert nobody.get(reverse("trackers")).status_code == 403
    assert [client.get(frames).status_code for client in (nobody, looker, page)] == [403, 403, 200]
    assert Client().get(reverse("trackers")).status_code == 302
    assert page.get(reverse("tracker_frames", args=[999_999])).status_code == 404


def test_superusers_see_the_last_frames_as_text_or_bytes(page, device):
    now = timezone.now()
    frames = [
        RawFrame(now - timedelta(seconds=2), "in", b"\x78\x78\x05\x01\x00\x09\x55\x94\r\n", "login"),
        RawFrame(now - timedelta(seconds=1), "out", b"ST300CMD;1;02;Enable1\r", "command"),
    ]
    keep_raw_frames({device.unique_id: frames}, most=20)
    answer = page.get(reverse("tracker_frames", args=[device.pk]))
    assert [(row["text"], row["is_received"]) for row in answer.context["frames"]] == [
        ("ST300CMD;1;02;Enable1", False),
        ("", True),
    ]
    assert "78 78 05 01 00 09 55 94 0d 0a" in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]


def test_counters_are_shown_by_protocol(page, device):
    connect(device)
    FRAMES.add(5, "h02", "position")
    FRAMES.add(2, "h02", "bad_checksum")
    ACKNOWLEDGED.add(4, "h02")
    REFUSED.add(1, "gt06", "unknown")
    BYTES.add(2048, "h02", "in")
    send_counts()
    rows = {row["protocol"]: row for row in page.get(reverse("trackers")).context["counter_rows"]}
    h02 = next(row for name, row in rows.items() if name.lower().startswith("h02"))
    assert (h02["connected"], h02["numbers"][:3], h02["received"]) == ("1", ["7", "2", "4"], "2.0 KiB")
    assert len(rows) == 2


def test_the_page_says_so_while_redis_is_away(page, device, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = page.get(reverse("trackers"))
    assert answer.status_code == 503
    assert b"Redis does not answer" in answer.content


# --- API ---


@pytest.fixture
def client(make_user, fleet) -> APIClient:
    client = APIClient()
    client.force_authenticate(member(make_user, fleet, FleetRole.VIEWER))
    return client


def test_members_get_the_connected_trackers_of_their_fleets(client, device):
    elsewhere = Device.objects.create(fleet=Fleet.objects.create(name="Elsewhere"), unique_id="x1", name="x1")
    connect(device)
    connect(elsewhere)
    (found,) = client.get("/api/trackers").json()["results"]
    assert found["device_id"] == device.pk
    assert found["unique_id"] == device.unique_id
    assert (found["protocol"], found["transport"], found["node"]) == ("h02", "tcp", NODE)
    assert (found["bytes_received"], found["bytes_sent"], found["frames"]) == (12_345, 678, 90)
    assert found["connected_at"].startswith("2026-11-30T09:00:00")


def test_the_list_of_the_api_has_filters_and_pages(client, make_device, fleet):
    devices = [make_device() for _ in range(3)]
    for one in devices:
        connect(one)
    first = client.get("/api/trackers?limit=2").json()
    assert [one["device_id"] for one in first["results"]] == [one.pk for one in devices[:2]]
    second = client.get(first["next"]).json()
    assert [one["device_id"] for one in second["results"]] == [devices[2].pk]
    assert second["next"] is None
    assert len(client.get(f"/api/trackers?device={devices[1].pk}").json()["results"]) == 1
    assert len(client.get(f"/api/trackers?fleet={fleet.pk}").json()["results"]) == 3
    assert client.get(f"/api/trackers?fleet={fleet.pk + 1}").json()["results"] == []


@pytest.mark.parametrize("query", ["cursor=x", "cursor=-1", "protocol=nonsense", "limit=0", "device=a", "nonsense=1"])
def test_a_wrong_parameter_is_a_400(client, query):
    assert client.get(f"/api/trackers?{query}").status_code == 400


# --- Members' page of a device ---


def test_the_page_of_a_device_says_whether_its_tracker_is_connected(client, make_user, fleet, device):
    pages = Client()
    pages.force_login(member(make_user, fleet, FleetRole.VIEWER))
    address = reverse("pages:device", args=[device.pk])
    assert "Not connected" not in pages.get(address).content.decode()
    DeviceAccess.objects.create(device=device, protocol="h02", last_connected_at=SINCE)
    assert "Not connected; last connected" in pages.get(address).content.decode()
    connect(device)
    assert "Connected by" in pages.get(address).content.decode()
