"""The ways in for devices: who is let in, what becomes of good and bad fixes, and that no phone is ever stuck."""

from __future__ import annotations

import gzip
import json
import os
from datetime import timedelta

import psutil
import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks_app.engine.connection import client as redis_client
from tasks_app.models import Device, DeviceState, DeviceStatus, Event, EventKind, Fleet, Position, QuarantinedFix
from tasks_app.queries.inbox import inbox_key, inbox_size
from tasks_app.services import inbox
from tasks_app.services.device_keys import issue_key
from tasks_app.services.inbox import drain_inbox
from tests.support.ingest import (
    AT,
    FORM,
    OSMAND,
    POSITIONS,
    TRACCAR,
    bomb,
    client_9,
    forwarded,
    parameters,
    position,
    send_form,
    send_json,
    send_query,
)

pytestmark = pytest.mark.django_db
TOKEN = "the-server-s-own-secret-0123456789"


@pytest.fixture
def key(device) -> str:
    return issue_key(device=device)


@pytest.fixture
def unsigned(settings) -> None:
    settings.INGEST_ALLOW_UNSIGNED = True


@pytest.fixture
def server(settings) -> None:
    settings.TRACCAR_FORWARD_TOKEN = TOKEN


def problem(response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["detail"]


def kept() -> list[str]:
    return list(QuarantinedFix.objects.order_by("id").values_list("code", flat=True))


# --- Every way in -----------------------------------------------------------------------------------------------------

WAYS = {
    "Traccar Client 8": send_query,
    "Traccar Client 9": lambda key: send_json(f"{OSMAND}?key={key}", client_9()),
    "Traccar Client 10": send_form,
    "a tracker with GET": lambda key: Client().get(OSMAND, {**parameters(), "key": key}),
    "own gateway": lambda key: send_json(POSITIONS, position(speed=40.0032), key),
    "Traccar server": lambda key: send_json(TRACCAR, forwarded(), TOKEN),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_gives_the_same_row(way, device, key, server):
    response = WAYS[way](key)
    assert response.status_code in (200, 202)
    assert drain_inbox()["stored"] == 1
    row = Position.objects.get(device=device)
    assert (row.fix_time, row.latitude, row.longitude) == (AT, -23.55, -46.63)
    assert row.speed_kph == pytest.approx(40.0032)
    assert kept() == []


def test_a_phone_that_repeats_itself_is_stored_once(device, key):
    for _ in range(3):
        assert send_query(key).status_code == 200
    assert {name: count for name, count in drain_inbox().items() if count} == {"read": 3, "stored": 1, "doubled": 2}


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
    assert (response.status_code, inbox_size()) == (200, 1)


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
    assert (inbox_size(), kept()) == (0, [])


def test_a_key_opens_no_other_device(device, key, make_device):
    make_device(unique_id="van-2")
    problem(send_query(key, id="van-2"), 403, "wrong_device")
    problem(send_query(key, id="nobody"), 403, "wrong_device")
    answer = send_json(POSITIONS, [position(device_id="van-2"), position()], key).json()
    assert (answer["accepted"], [one["code"] for one in answer["rejected"]]) == (1, ["wrong_device"])
    assert inbox_size() == 1


def test_an_inactive_device_is_refused(device, key, server):
    Device.objects.update(is_active=False)
    for response in (send_query(key), send_json(POSITIONS, position(), key), send_json(TRACCAR, forwarded(), TOKEN)):
        problem(response, 403, "inactive_device")


def test_unsigned_devices_send_where_that_is_allowed(device, unsigned):
    assert send_query().status_code == 200
    assert send_form().status_code == 200
    assert send_json(POSITIONS, position()).status_code == 202
    assert inbox_size() == 3
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
    problem(send_json(TRACCAR, forwarded(), sent), 401, "authentication_failed")


def test_without_a_token_in_the_settings_no_server_is_let_in(device, key):
    problem(send_json(TRACCAR, forwarded(), ""), 403, "not_configured")
    problem(send_json(TRACCAR, forwarded(), key), 403, "not_configured")


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
    assert send_json(TRACCAR, forwarded("truck-1"), TOKEN).status_code == 200
    rows = Device.objects.order_by("id").values_list("unique_id", "name", "fleet_id", "ingest_key_hash")
    assert list(rows) == [("phone-1", "phone-1", join.pk, ""), ("truck-1", "Van 7", join.pk, "")]
    assert drain_inbox()["stored"] == 2


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
    problem(send_json(TRACCAR, forwarded("stranger"), TOKEN), 400, "unknown_device")
    row = QuarantinedFix.objects.get()
    assert (row.device, row.unique_id, row.code, row.source) == (None, "stranger", "unknown_device", "traccar")


# --- Bad fixes of good devices ----------------------------------------------------------------------------------------

BAD_PLACES = {
    "latitude 91": ("lat", "latitude", 91),
    "longitude 181": ("lon", "longitude", 181),
    "not a number": ("lat", "latitude", "north"),
    "impossible speed": ("speed", "speed", 1e9),
}


@pytest.mark.parametrize("name", BAD_PLACES)
def test_a_bad_fix_is_kept_aside_and_the_phone_goes_on(name, device, key, server):
    short, long, value = BAD_PLACES[name]
    responses = [
        send_query(key, **{short: value}),
        send_form(key, **{short: value}),
        send_json(f"{OSMAND}?key={key}", client_9(**{long: value})),
        send_json(POSITIONS, position(**{long: value}), key),
        send_json(TRACCAR, forwarded(**{long: value}), TOKEN),
    ]
    assert [response.status_code for response in responses] == [200] * 5
    assert inbox_size() == 0
    assert set(kept()) == {f"invalid_{long}"}
    assert len(kept()) == 5
    row = QuarantinedFix.objects.order_by("id").first()
    assert (row.device, row.unique_id, row.source) == (device, "van-1", "osmand")
    assert str(value) in row.body or name == "impossible speed"
    assert key not in "".join(QuarantinedFix.objects.values_list("body", flat=True))


BAD_TIMES = {
    "1970": (0, "timestamp_too_old"),
    "negative": (-5, "timestamp_too_old"),
    "9999": ("9999-12-31T23:59:59Z", "timestamp_in_future"),
    "two days ahead": ((timezone.now() + timedelta(days=2)).isoformat(), "timestamp_in_future"),
    "no zone": ("2026-01-01T00:00:00", "timestamp_without_zone"),
    "text": ("yesterday", "invalid_timestamp"),
    "5000 digits": ("9" * 5000, "invalid_timestamp"),
    "microseconds": (1_700_000_000_000_000, "invalid_timestamp"),
}


@pytest.mark.parametrize("name", BAD_TIMES)
def test_a_time_that_cannot_be_right_is_kept_aside(name, device, key, server):
    value, code = BAD_TIMES[name]
    message = client_9()
    message["location"]["timestamp"] = value
    send_query(key, timestamp=value)
    send_json(f"{OSMAND}?key={key}", message)
    send_json(POSITIONS, position(timestamp=value), key)
    send_json(TRACCAR, forwarded(fixTime=value), TOKEN)
    assert (kept(), inbox_size()) == ([code] * 4, 0)


BODIES = {
    "not JSON": b"{",
    "nothing": b"",
    "NaN": b'{"device_id": NaN}',
    "1e999": b'{"device_id": "van-1", "location": {"coords": {"latitude": 1e999}}}',
    "deep nesting": b"[" * 60_000,
    "5000 digits": b'{"device_id": ' + b"9" * 5000 + b"}",
    "bad UTF-8": b'{"device_id": "\xff"}',
    "lone surrogate": b'{"device_id": "\\ud800"}',
    "a list": b"[]",
    "a number": b"5",
    "null": b"null",
    "a string": b'"' + b"x" * 50_000 + b'"',
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_cannot_be_read_does_not_stop_a_phone(name, device, key, server):
    assert send_json(f"{OSMAND}?key={key}", BODIES[name]).status_code == 200
    assert send_json(TRACCAR, BODIES[name], TOKEN).status_code == 200
    assert send_json(POSITIONS, BODIES[name], key).status_code in (200, 400)
    assert inbox_size() == 0
    assert len(kept()) >= 2


@pytest.mark.parametrize("name", BODIES)
def test_who_is_not_known_is_told_that_his_body_cannot_be_read(name, device, unsigned):
    for path in (OSMAND, POSITIONS):
        assert send_json(path, BODIES[name]).status_code == 400
    assert kept() == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"device_id": "nobody", "device_id": "van-1", "location": {"timestamp": "2026-03-01T08:00:00Z",'
        b' "coords": {"latitude": 91, "latitude": 1, "longitude": 1}}}',
    ],
)
def test_of_a_member_that_comes_twice_the_last_counts(body, device, key):
    assert send_json(f"{OSMAND}?key={key}", body).status_code == 200
    assert (inbox_size(), kept()) == (1, [])


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "x", FORM])
def test_a_wrong_content_type_is_refused(content_type, device, key, server):
    body = json.dumps(position()).encode()
    assert Client().generic("POST", f"{POSITIONS}?key={key}", body, content_type=content_type).status_code == 415
    assert Client().generic("POST", f"{OSMAND}?key={key}", body, content_type=content_type).status_code == 400
    assert inbox_size() == 0


def test_thousands_of_parameters_are_refused(device, key):
    query = "&".join(f"a{number}=1" for number in range(3000))
    assert Client().post(f"{OSMAND}?key={key}&{query}").status_code == 400
    assert Client().generic("POST", f"{OSMAND}?key={key}", query.encode(), content_type=FORM).status_code == 400


def test_a_phone_s_heartbeat_is_a_sign_of_life_and_no_position(device, key):
    long_ago = timezone.now() - timedelta(hours=2)
    DeviceState.objects.create(
        device=device, status=DeviceStatus.OFFLINE, last_seen_at=long_ago, offline_since=long_ago
    )
    assert Client().post(f"{OSMAND}?key={key}&id=van-1&batt=80").status_code == 200
    state = DeviceState.objects.get(device=device)
    assert (state.status, state.offline_since, state.fix_time) == (DeviceStatus.ONLINE, None, None)
    assert timezone.now() - state.last_seen_at < timedelta(minutes=1)
    assert Event.objects.get().kind == EventKind.DEVICE_ONLINE
    assert (inbox_size(), kept()) == (0, [])


def test_news_that_a_device_is_silent_is_no_sign_of_life(device, server):
    offline = {"event": {"type": "deviceOffline"}, "device": {"uniqueId": "van-1"}}
    assert send_json(TRACCAR, offline, TOKEN).status_code == 200
    assert not DeviceState.objects.exists()
    assert send_json(TRACCAR, {**offline, "event": {"type": "deviceOnline"}}, TOKEN).status_code == 200
    assert DeviceState.objects.get().status == DeviceStatus.ONLINE


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
    assert drain_inbox()["stored"] == 2
    assert len(kept()) == 3


def test_a_gateway_s_batch_is_bounded(device, key, settings):
    settings.MAX_BATCH_FIXES = 3
    problem(send_json(POSITIONS, [position()] * 4, key), 413, "too_many_fixes")
    problem(send_json(POSITIONS, [], key), 400, "wrong_shape")
    problem(send_json(POSITIONS, {"positions": 5}, key), 400, "wrong_shape")


def test_a_position_nested_deeper_than_it_can_be_written_is_kept_aside(device, key):
    deep = b'{"attributes": ' + b"[" * 900 + b"]" * 900 + b"}"
    assert send_json(POSITIONS, deep, key).status_code == 200
    assert len(kept()) == 1


# --- Size and pace ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [OSMAND, POSITIONS])
def test_it_unpacks_gzip(path, device, key):
    body = gzip.compress(json.dumps(client_9() if path == OSMAND else position()).encode())
    assert send_json(path, body, key, **{"Content-Encoding": "gzip"}).status_code in (200, 202)
    assert inbox_size() == 1


def test_the_batch_api_unpacks_gzip(api, device, run_jobs):
    body = gzip.compress(json.dumps([position()]).encode()) + gzip.compress(b" ")
    path = "/api/tasks/position/process-batch"
    response = api.generic("POST", path, body, "application/json", headers={"Content-Encoding": "gzip"})
    assert (response.status_code, response.json()["accepted"]) == (202, 1)


GZIP_PATHS = [OSMAND, POSITIONS, TRACCAR, "/api/tasks/position/process-batch", "/api/tasks/position/process"]


@pytest.mark.parametrize("path", GZIP_PATHS)
def test_a_gzip_bomb_is_refused_and_takes_no_memory(path, api, device, key, server):
    body = bomb()
    credentials = {} if path.startswith("/api") else {"Authorization": f"Bearer {TOKEN if path == TRACCAR else key}"}
    headers = {"Content-Encoding": "gzip", **credentials}
    limit = 64 * 1024 if path == OSMAND else len(body)
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    for sent in (body, body[:limit]):
        response = api.generic("POST", path, sent, "application/json", headers=headers)
        problem(response, 413, "body_too_large")
    assert process.memory_info().rss - before < 40_000_000


@pytest.mark.parametrize(
    ("body", "encoding", "status", "code"),
    [
        (b"no gzip", "gzip", 400, "not_gzip"),
        (gzip.compress(b"{}", mtime=0)[:-3], "gzip", 400, "not_gzip"),
        (gzip.compress(b"{}", mtime=0) + b"rubbish", "gzip", 400, "not_gzip"),
        (gzip.compress(b"", mtime=0) * 5000, "gzip", 400, "not_gzip"),
        (b"{}", "br", 415, "unsupported_encoding"),
        (b"{}", "gzip, gzip", 415, "unsupported_encoding"),
    ],
)
def test_a_packed_body_that_cannot_be_unpacked_is_refused(body, encoding, status, code, device, key):
    problem(send_json(POSITIONS, body, key, **{"Content-Encoding": encoding}), status, code)


def test_a_body_that_is_too_large_is_refused(device, key, server):
    problem(send_json(OSMAND, b" " * 70_000, key), 413, "body_too_large")
    problem(send_json(POSITIONS, b" " * 3_000_000, key), 413, "body_too_large")
    problem(send_json(TRACCAR, b" " * 3_000_000, TOKEN), 413, "body_too_large")


def test_a_full_inbox_asks_the_sender_to_come_back(device, key, server, monkeypatch):
    monkeypatch.setattr(inbox, "MAX_INBOX_FIXES", 0)
    for response in (
        send_query(key),
        send_json(POSITIONS, position(), key),
        send_json(TRACCAR, forwarded(), TOKEN),
    ):
        problem(response, 503, "inbox_full")
        assert response["Retry-After"]


def test_a_device_that_sends_without_end_is_slowed_down(device, key, settings):
    settings.INGEST_DEVICE_PER_MINUTE = 3
    statuses = [send_query(key).status_code for _ in range(8)]
    assert statuses[:3] == [200] * 3
    assert 429 in statuses
    response = next(found for _ in range(8) if (found := send_query(key)).status_code == 429)
    assert 0 < int(response["Retry-After"]) <= 60


def test_an_address_that_guesses_keys_is_slowed_down_and_devices_behind_it_are_not(device, key, settings):
    settings.INGEST_REFUSALS_PER_MINUTE = 3
    statuses = [send_query("guess").status_code for _ in range(10)]
    assert set(statuses) == {401, 429}
    assert send_query(key).status_code == 200


# --- Anything ---------------------------------------------------------------------------------------------------------

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PATHS = st.sampled_from([OSMAND, POSITIONS, TRACCAR])
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@pytest.fixture
def generous(settings) -> None:
    settings.INGEST_REFUSALS_PER_MINUTE = settings.INGEST_DEVICE_PER_MINUTE = 10**9


@FUZZ
@given(path=PATHS, body=st.one_of(st.binary(max_size=200), JSON.map(lambda value: json.dumps(value).encode())))
def test_any_body_is_answered_and_nothing_of_it_stored(path, body, device, key, server, generous):
    response = send_json(path, body, TOKEN if path == TRACCAR else key)
    assert response.status_code in (200, 400)
    assert inbox_size() == 0


@FUZZ
@given(changes=st.dictionaries(st.sampled_from(list(position())), JSON, max_size=3))
def test_any_position_is_taken_in_whole_or_kept_aside(changes, device, key, generous):
    redis_client().delete(inbox_key())
    QuarantinedFix.objects.all().delete()
    response = send_json(POSITIONS, position(**changes), key)
    assert response.status_code in (200, 202, 400)
    if response.status_code != 400:
        assert (inbox_size(), len(kept())) == ((1, 0) if response.status_code == 202 else (0, 1))
        assert drain_inbox()["rejected"] == 0


@FUZZ
@given(query=st.one_of(st.text(max_size=80).map(str.encode), st.binary(max_size=80)))
def test_any_query_is_answered(query, device, key, generous):
    # The bytes of an address are latin-1 to WSGI.
    response = Client().generic("GET", OSMAND, QUERY_STRING=f"key={key}&id=van-1&{query.decode('latin-1')}")
    assert response.status_code in (200, 400, 401, 403)
