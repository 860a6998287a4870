"""OwnTracks over HTTP: who is let in, what is stored, and that the app always hears a JSON list."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from tasks_app.models import Device, DeviceState, DeviceStatus, Position, QuarantinedFix
from tasks_app.queries.position_buffer import buffer_size
from tasks_app.services.devices.credentials import issue_key
from tests.support.ingest import bomb, drain_buffers, minutes_before_now, problem, quarantined_codes

pytestmark = pytest.mark.django_db
OWNTRACKS = "/ingest/owntracks"


def location(**changes: Any) -> dict[str, Any]:
    at = int(minutes_before_now(1).timestamp())
    return {"_type": "location", "tst": at, "lat": -23.55, "lon": -46.63, "vel": 36, "batt": 40, "tid": "xx", **changes}


def basic(password: str, user: str = "jane") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def send(body: Any, key: str = "", path: str = OWNTRACKS, **headers: str) -> HttpResponse:
    """As the app for Android does."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {**({"Authorization": basic(key)} if key else {}), **headers}
    return Client().generic("POST", path, raw, "application/json; charset=utf-8", headers=given)


def check_taken(response: HttpResponse) -> None:
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert response.json() == []


@pytest.fixture
def join(settings, fleet) -> None:
    settings.INGEST_REGISTER_UNKNOWN = fleet.name


# --- What is taken in -------------------------------------------------------------------------------------------------


def test_a_location_is_stored_and_the_answer_is_a_list(device, key):
    check_taken(send(location(), key))
    assert drain_buffers()["stored"] == 1
    row = Position.objects.get(device=device)
    assert (row.latitude, row.longitude, row.speed_kph, row.attributes["batteryLevel"]) == (-23.55, -46.63, 36.0, 40)


def test_the_shared_message_of_a_phone_is_stored(traces_dir, device, key):
    check_taken(send((traces_dir / "field_cases" / "owntracks_location.json").read_bytes(), key))
    assert drain_buffers()["stored"] == 1
    assert Position.objects.get().speed_kph == 36.0


@pytest.mark.parametrize("path", ["/ingest/owntracks/", "/ingest/owntracks?u=jane&d=van-1"])
def test_a_slash_and_a_query_are_fine(path, device, key):
    check_taken(send(location(), key, path))
    assert buffer_size() == 1


def test_a_list_of_messages_is_taken_in_one_by_one(device, key):
    at = int(minutes_before_now(10).timestamp())
    items = [location(tst=at), location(tst=at + 1, lat=95), {"_type": "lwt"}, location(tst=at + 2), 5]
    check_taken(send(items, key))
    assert drain_buffers()["stored"] == 2
    assert quarantined_codes() == ["invalid_latitude", "wrong_shape"]
    assert {row.source for row in QuarantinedFix.objects.all()} == {"owntracks"}


def test_entering_a_region_is_a_position(device, key):
    event = {"_type": "transition", "event": "enter", "desc": "Depot", "acc": 12, "wtst": 1}
    check_taken(send({**location(), **event}, key))
    drain_buffers()
    assert Position.objects.get().attributes["event"] == "enter"


@pytest.mark.parametrize("body", [b"", b"[]", b" "])
def test_nothing_is_answered_with_a_list_too(body, device, key):
    check_taken(send(body, key))
    assert (buffer_size(), quarantined_codes()) == (0, [])


@pytest.mark.parametrize("kind", ["waypoint", "waypoints", "cmd", "card", "status", "steps", "configuration"])
def test_other_messages_are_signs_of_life(kind, device, key):
    check_taken(send({"_type": kind, "tst": 1, "waypoints": [], "password": "secret"}, key))
    assert DeviceState.objects.get(device=device).status == DeviceStatus.ONLINE
    assert (buffer_size(), quarantined_codes()) == (0, [])


def test_a_last_will_is_none(device, key):
    check_taken(send({"_type": "lwt", "tst": 1}, key))
    assert not DeviceState.objects.filter(device=device, status=DeviceStatus.ONLINE).exists()


def test_an_encrypted_message_is_kept_aside_and_the_phone_goes_on(device, key):
    check_taken(send({"_type": "encrypted", "data": "BQ0yj1ZA"}, key))
    row = QuarantinedFix.objects.get()
    assert (row.code, row.device, row.source) == ("encrypted", device, "owntracks")
    assert "encrypted" in row.detail


@pytest.mark.parametrize("body", [b"{", b'"x"', b"5", b"null", b"[" * 60_000, b'{"_type": "location", "lat": "\xff"}'])
def test_what_cannot_be_read_does_not_stop_a_phone(body, device, key):
    check_taken(send(body, key))
    assert len(quarantined_codes()) == 1


@pytest.mark.parametrize("odd", ["\\u0000", "\\ud83d"])
def test_a_name_with_half_a_character_is_that_of_nobody(odd, device, key, unsigned, join):
    body = json.dumps([location(topic="owntracks/jane#/phone#", tid="#"), location()]).replace("#", odd).encode()
    check_taken(send(body, key))
    assert (buffer_size(), quarantined_codes()) == (2, [])
    problem(send(body), 400, "missing_device_id")
    problem(send(location(tid="\0"), path=f"{OWNTRACKS}?u=%00&d=%00"), 400, "missing_device_id")
    assert not Device.objects.exclude(pk=device.pk).exists()


def test_a_large_body_is_refused(device, key):
    problem(send(b" " * 300_000, key), 413, "body_too_large")
    packed = Client().generic(
        "POST",
        OWNTRACKS,
        bomb(1),
        "application/json",
        headers={"Authorization": basic(key), "Content-Encoding": "gzip"},
    )
    problem(packed, 413, "body_too_large")


# --- Who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["Basic ", "Basic !!!", "Basic dmFuLTE=", basic("wrong"), basic(""), basic("\x00é"), "Digest x"]
)
def test_without_the_key_nobody_is_let_in(header, device, key):
    assert (
        send(location(topic="owntracks/jane/van-1"), **{"Authorization": header, "X-Limit-D": "van-1"}).status_code
        == 401
    )
    assert (buffer_size(), quarantined_codes()) == (0, [])


def test_a_colon_in_the_user_s_name_is_no_way_round(device, key):
    # The first colon ends the name; a key has none.
    assert send(location(), Authorization=basic(key, "a:b")).status_code == 401
    check_taken(send(location(), Authorization=basic(key, "")))


def test_a_key_in_another_device_s_phone_is_refused(device, key, make_device):
    make_device(unique_id="van-2")
    problem(send(location(), key, **{"X-Limit-D": "van-2"}), 403, "wrong_device")
    check_taken(send(location(), key, **{"X-Limit-U": "jane", "X-Limit-D": "phone"}))
    assert buffer_size() == 1


def test_knowing_a_name_is_enough_only_where_that_is_allowed(device, unsigned):
    check_taken(send(location(), **{"X-Limit-U": "jane", "X-Limit-D": "van-1"}))
    check_taken(send(location(topic="owntracks/jane/van-1")))
    check_taken(send(location(), path=f"{OWNTRACKS}?u=jane&d=van-1"))
    assert buffer_size() == 3
    issue_key(device=device)
    assert send(location(topic="owntracks/jane/van-1")).status_code == 401


def test_without_key_and_name_it_is_told(unsigned, db):
    problem(send(location(tid=None)), 400, "missing_device_id")
    problem(send(b"{"), 400, "not_json")
    problem(send(location(topic="owntracks/jane/phone")), 400, "unknown_device")


def test_an_unknown_phone_joins_under_both_its_names(unsigned, join):
    check_taken(send(location(topic="owntracks/jane/phone")))
    check_taken(send(location(topic="owntracks/joe/phone")))
    assert set(Device.objects.values_list("unique_id", flat=True)) == {"jane-phone", "joe-phone"}
    assert drain_buffers()["stored"] == 2


def test_an_unknown_phone_does_not_join_with_a_fix_that_cannot_be_right(unsigned, join):
    for body in (location(lat=95, topic="owntracks/jane/phone"), {"_type": "card", "topic": "owntracks/jane/phone"}):
        problem(send(body), 400, "unknown_device")


def test_a_device_that_is_switched_off_is_refused(device, key):
    Device.objects.update(is_active=False)
    problem(send(location(), key), 403, "inactive_device")


def test_a_list_counts_as_many_messages(device, key, settings):
    settings.INGEST_DEVICE_PER_MINUTE = 3
    check_taken(send([location(tst=int(minutes_before_now(n).timestamp())) for n in range(5)], key))
    assert send(location(), key).status_code == 429
