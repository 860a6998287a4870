"""The ways in for devices: who is let in, what becomes of good and bad fixes, and that no phone is ever stuck."""

from __future__ import annotations

import pytest
from django.test import Client

from tasks_app.models import Device, Fleet, Position, QuarantinedFix
from tasks_app.queries.position_buffer import buffer_size
from tests.support.ingest import (
    AT,
    OSMAND,
    POSITIONS,
    TOKEN,
    TRACCAR,
    client_9,
    drain_buffers,
    forwarded_position,
    parameters,
    position,
    problem,
    quarantined_codes,
    send_form,
    send_json,
    send_query,
)

pytestmark = pytest.mark.django_db


# --- Every way in -----------------------------------------------------------------------------------------------------

WAYS = {
    "Traccar Client 8": send_query,
    "Traccar Client 9": lambda key: send_json(f"{OSMAND}?key={key}", client_9()),
    "Traccar Client 10": send_form,
    "a tracker with GET": lambda key: Client().get(OSMAND, {**parameters(), "key": key}),
    "own gateway": lambda key: send_json(POSITIONS, position(speed=40.0032), key),
    "Traccar server": lambda key: send_json(TRACCAR, forwarded_position(), TOKEN),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_gives_the_same_row(way, device, key, server):
    response = WAYS[way](key)
    assert response.status_code in (200, 202)
    assert drain_buffers()["stored"] == 1
    row = Position.objects.get(device=device)
    assert (row.fix_time, row.latitude, row.longitude) == (AT, -23.55, -46.63)
    assert row.speed_kph == pytest.approx(40.0032)
    assert quarantined_codes() == []


def test_a_phone_that_repeats_itself_is_stored_once(device, key):
    for _ in range(3):
        assert send_query(key).status_code == 200
    assert {name: count for name, count in drain_buffers().items() if count} == {
        "read": 3,
        "stored": 1,
        "duplicates": 2,
    }


def test_an_answer_to_a_phone_is_200_without_a_body(device, key):
    response = send_query(key)
    assert (response.status_code, response.content) == (200, b"")


# --- Who may send -----------------------------------------------------------------------------------------------------

PLACES_OF_KEY = {
    "Bearer": lambda key: {"headers": {"Authorization": f"Bearer {key}"}},
    "X-Device-Key": lambda key: {"headers": {"X-Device-Key": key}},
    "key": lambda key: {"query": f"key={key}&"},
    "token": lambda key: {"query": f"token={key}&"},
    "path": lambda key: {"path": f"{OSMAND}/{key}"},
    "path with a slash": lambda key: {"path": f"{OSMAND}/{key}/"},
}


@pytest.mark.parametrize("place", PLACES_OF_KEY)
def test_it_takes_the_key_from_wherever_a_phone_can_put_it(place, device, key):
    where = PLACES_OF_KEY[place](key)
    query = where.get("query", "") + "id=van-1&lat=1&lon=1"
    response = Client().post(f"{where.get('path', OSMAND)}?{query}", headers=where.get("headers"))
    assert (response.status_code, buffer_size()) == (200, 1)


def test_a_slash_behind_the_address_or_the_key_changes_nothing(device, key):
    assert send_query(key, path=OSMAND + "/").status_code == 200
    assert send_json(f"{OSMAND}?key={key}/", client_9()).status_code == 200


@pytest.mark.parametrize("wrong", ["", "wrong", "x" * 5000, "\x00", "é", "' OR 1=1 --"])
@pytest.mark.parametrize("unique_id", ["van-1", "nobody"])
def test_knowing_an_identifier_is_not_enough(wrong, unique_id, device, key):
    responses = [
        send_query(wrong, id=unique_id),
        send_json(OSMAND, {**client_9(), "device_id": unique_id}),
        send_json(POSITIONS, position(device_id=unique_id)),
        send_form(wrong, id=unique_id),
    ]
    assert [response.status_code for response in responses] == [401] * 4
    assert {response["WWW-Authenticate"] for response in responses} == {"Bearer"}
    assert (buffer_size(), quarantined_codes()) == (0, [])


def test_a_key_opens_no_other_device(device, key, make_device):
    make_device(unique_id="van-2")
    problem(send_query(key, id="van-2"), 403, "wrong_device")
    problem(send_query(key, id="nobody"), 403, "wrong_device")
    answer = send_json(POSITIONS, [position(device_id="van-2"), position()], key).json()
    assert (answer["accepted"], [one["code"] for one in answer["rejected"]]) == (1, ["wrong_device"])
    assert buffer_size() == 1


def test_an_inactive_device_is_refused(device, key, server):
    Device.objects.update(is_active=False)
    for response in (
        send_query(key),
        send_json(POSITIONS, position(), key),
        send_json(TRACCAR, forwarded_position(), TOKEN),
    ):
        problem(response, 403, "inactive_device")


def test_unsigned_devices_send_where_that_is_allowed(device, unsigned):
    assert send_query().status_code == 200
    assert send_form().status_code == 200
    assert send_json(POSITIONS, position()).status_code == 202
    assert buffer_size() == 3
    problem(send_query(id="nobody"), 400, "unknown_device")
    problem(send_json(OSMAND, {**client_9(), "device_id": "nobody"}), 404, "unknown_device")
    problem(send_json(POSITIONS, position(device_id="nobody")), 400, "unknown_device")


def test_a_device_with_a_key_has_to_send_it_even_where_others_need_none(device, key, unsigned):
    problem(send_query(), 401, "not_authenticated")
    problem(send_query("wrong"), 401, "authentication_failed")
    assert send_query(key).status_code == 200


def test_a_message_without_an_identifier_is_refused(device, key):
    problem(send_query(key, id=""), 400, "missing_device_id")
    problem(send_json(OSMAND, {"location": {}}, key), 400, "missing_device_id")
    problem(Client().post(f"{OSMAND}?key={key}"), 400, "missing_device_id")


@pytest.mark.parametrize("sent", ["", "wrong", "é"])
def test_a_traccar_server_needs_the_token(sent, device, server):
    problem(send_json(TRACCAR, forwarded_position(), sent), 401, "authentication_failed")


def test_without_a_token_in_the_settings_no_server_is_let_in(device, key):
    problem(send_json(TRACCAR, forwarded_position(), ""), 403, "not_configured")
    problem(send_json(TRACCAR, forwarded_position(), key), 403, "not_configured")


def test_it_asks_for_no_csrf_token(device, key):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(f"{OSMAND}?key={key}&id=van-1&lat=1&lon=1").status_code == 200


# --- Devices nobody entered -------------------------------------------------------------------------------------------


@pytest.fixture
def join(settings, fleet) -> Fleet:
    settings.INGEST_REGISTER_UNKNOWN = fleet.name
    return fleet


def test_unknown_devices_join_the_fleet_the_settings_name(join, unsigned, server):
    assert send_query(id="phone-1").status_code == 200
    assert send_json(TRACCAR, forwarded_position("truck-1"), TOKEN).status_code == 200
    rows = Device.objects.order_by("id").values_list("unique_id", "name", "fleet_id", "ingest_key_hash")
    assert list(rows) == [("phone-1", "phone-1", join.pk, ""), ("truck-1", "Van 7", join.pk, "")]
    assert drain_buffers()["stored"] == 2


def test_nobody_joins_who_would_need_a_key(join):
    assert send_query(id="phone-1").status_code == 401
    assert Device.objects.count() == 0


@pytest.mark.parametrize("unique_id", ["x", "a b c", "<script>", "é" * 5, "x" * 100])
def test_nobody_joins_under_a_name_no_tracker_has(unique_id, join, unsigned):
    problem(send_query(id=unique_id), 400, "unknown_device")
    assert Device.objects.count() == 0


def test_nobody_joins_with_a_fix_that_cannot_be_right(join, unsigned):
    problem(send_query(id="phone-1", lat=91), 400, "unknown_device")
    assert Device.objects.count() == 0


def test_nobody_joins_a_full_or_missing_fleet(join, unsigned, settings, device):
    settings.INGEST_REGISTER_MAX_DEVICES = 1
    problem(send_query(id="phone-1"), 400, "unknown_device")
    settings.INGEST_REGISTER_UNKNOWN = "No such fleet"
    problem(send_query(id="phone-1"), 400, "unknown_device")


def test_what_a_server_says_of_unknown_devices_is_kept_for_staff_to_see(server):
    problem(send_json(TRACCAR, forwarded_position("stranger"), TOKEN), 400, "unknown_device")
    row = QuarantinedFix.objects.get()
    assert (row.device, row.unique_id, row.code, row.source) == (None, "stranger", "unknown_device", "traccar")


# --- Own gateways -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda items: items, lambda items: {"positions": items}])
def test_a_gateway_sends_batches_and_hears_what_was_wrong(wrap, device, key):
    items = [position(), position(latitude=91), "nonsense", {**position(), "timestamp": AT.timestamp() + 1}, None]
    del items[3]["device_id"]
    response = send_json(POSITIONS, wrap(items), key)
    body = response.json()
    assert (response.status_code, body["accepted"], body["rejected_count"]) == (202, 2, 3)
    assert [(one["index"], one["code"]) for one in body["rejected"]] == [
        (1, "invalid_latitude"),
        (2, "not_an_object"),
        (4, "not_an_object"),
    ]
    assert drain_buffers()["stored"] == 2
    assert len(quarantined_codes()) == 3


def test_a_gateway_s_batch_is_bounded(device, key, settings):
    settings.MAX_BATCH_FIXES = 3
    problem(send_json(POSITIONS, [position()] * 4, key), 413, "too_many_fixes")
    problem(send_json(POSITIONS, [], key), 400, "wrong_shape")
    problem(send_json(POSITIONS, {"positions": 5}, key), 400, "wrong_shape")


def test_a_position_nested_deeper_than_it_can_be_written_is_kept_aside(device, key):
    deep = b'{"attributes": ' + b"[" * 500 + b"]" * 500 + b"}"
    assert send_json(POSITIONS, deep, key).status_code == 200
    assert len(quarantined_codes()) == 1
