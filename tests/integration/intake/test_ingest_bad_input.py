"""Values that cannot be right are quarantined, or refused with the reason; the device goes on."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.engine.connection import client as redis_client
from tasks_app.models import DeviceState, DeviceStatus, Event, EventKind, QuarantinedFix
from tasks_app.queries.position_buffer import buffer_key, buffer_size
from tasks_app.queries.position_lanes import lane_of
from tasks_app.services.intake.buffer import drain_buffer
from tests.support.ingest import (
    FORM,
    OSMAND,
    POSITIONS,
    TOKEN,
    TRACCAR,
    client_9,
    forwarded_position,
    position,
    problem,
    quarantined_codes,
    send_form,
    send_json,
    send_query,
)

pytestmark = pytest.mark.django_db


# --- Bad fixes of good devices ----------------------------------------------------------------------------------------

BAD_PLACES = {
    "latitude 91": ("lat", "latitude", 91),
    "longitude 181": ("lon", "longitude", 181),
    "not a number": ("lat", "latitude", "north"),
}


@pytest.mark.parametrize("name", BAD_PLACES)
def test_a_bad_fix_is_kept_aside_and_the_phone_goes_on(name, device, key, server):
    short, long, value = BAD_PLACES[name]
    responses = [
        send_query(key, **{short: value}),
        send_form(key, **{short: value}),
        send_json(f"{OSMAND}?key={key}", client_9(**{long: value})),
        send_json(POSITIONS, position(**{long: value}), key),
        send_json(TRACCAR, forwarded_position(**{long: value}), TOKEN),
    ]
    assert [response.status_code for response in responses] == [200] * 5
    assert buffer_size() == 0
    assert set(quarantined_codes()) == {f"invalid_{long}"}
    assert len(quarantined_codes()) == 5
    row = QuarantinedFix.objects.order_by("id").first()
    assert (row.device, row.unique_id, row.source) == (device, "van-1", "osmand")
    assert str(value) in row.body
    assert key not in "".join(QuarantinedFix.objects.values_list("body", flat=True))


BAD_TIMES = {
    "1970": (0, "timestamp_too_old"),
    "negative": (-5, "timestamp_too_old"),
    "9999": ("9999-12-31T23:59:59Z", "timestamp_in_future"),
    "two days ahead": ((timezone.now() + timedelta(days=2)).isoformat(), "timestamp_in_future"),
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
    send_json(TRACCAR, forwarded_position(fixTime=value), TOKEN)
    assert (quarantined_codes(), buffer_size()) == ([code] * 4, 0)


@pytest.mark.parametrize("text", ["2026-03-01T08:00:00", "2026-03-01 08:00:00"])
def test_a_time_without_a_zone_is_taken_where_the_way_in_has_one(text, device, key, server):
    message = client_9()
    message["location"]["timestamp"] = text
    send_json(f"{OSMAND}?key={key}", message)
    send_json(POSITIONS, position(timestamp=text), key)
    send_json(TRACCAR, forwarded_position(fixTime=text), TOKEN)
    assert (quarantined_codes(), buffer_size()) == (["timestamp_without_zone"] * 3, 0)
    send_query(key, timestamp=text)
    assert (len(quarantined_codes()), buffer_size()) == (3, 1)


BODIES = {
    "not JSON": b"{",
    "nothing": b"",
    "NaN as a name": b"{NaN: 1",
    "deep nesting": b"[" * 60_000,
    "5000 digits": b'{"device_id": ' + b"9" * 5000 + b"}",
    "bad UTF-8": b'{"device_id": "\xff"}',
    "an escape that is none": b'{"device_id": "\\udzzz"}',
    "a list": b"[]",
    "a number": b"5",
    "null": b"null",
    "a string": b'"' + b"x" * 50_000 + b'"',
}


@pytest.mark.parametrize("odd", ["\\u0000", "\\ud83d"])
def test_half_a_character_costs_its_text_only(odd, device, key, server):
    message, forwarded = client_9(), forwarded_position(address="#", attributes={"driver": "#"})
    message["location"]["extras"] = {"driver": "#"}
    forwarded["device"]["name"] = "Van #"
    for path, body, secret in ((f"{OSMAND}?key={key}", message, ""), (TRACCAR, forwarded, TOKEN)):
        assert send_json(path, json.dumps(body).replace("#", odd).encode(), secret).status_code == 200
    assert (buffer_size(), quarantined_codes()) == (2, [])
    message["device_id"] = "#"
    problem(send_json(f"{OSMAND}?key={key}", json.dumps(message).replace("#", odd).encode()), 400, "invalid_device_id")


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_cannot_be_read_does_not_stop_a_phone(name, device, key, server):
    assert send_json(f"{OSMAND}?key={key}", BODIES[name]).status_code == 200
    assert send_json(TRACCAR, BODIES[name], TOKEN).status_code == 200
    assert send_json(POSITIONS, BODIES[name], key).status_code in (200, 400)
    assert buffer_size() == 0
    assert len(quarantined_codes()) >= 2


@pytest.mark.parametrize("name", BODIES)
def test_who_is_not_known_is_told_that_his_body_cannot_be_read(name, device, unsigned):
    for path in (OSMAND, POSITIONS):
        assert send_json(path, BODIES[name]).status_code == 400
    assert quarantined_codes() == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"device_id": "nobody", "device_id": "van-1", "location": {"timestamp": "2026-03-01T08:00:00Z",'
        b' "coords": {"latitude": 91, "latitude": 1, "longitude": 1}}}',
    ],
)
def test_of_a_member_that_comes_twice_the_last_counts(body, device, key):
    assert send_json(f"{OSMAND}?key={key}", body).status_code == 200
    assert (buffer_size(), quarantined_codes()) == (1, [])


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "x", FORM])
def test_a_wrong_content_type_is_refused(content_type, device, key, server):
    body = json.dumps(position()).encode()
    assert Client().generic("POST", f"{POSITIONS}?key={key}", body, content_type=content_type).status_code == 415
    assert Client().generic("POST", f"{OSMAND}?key={key}", body, content_type=content_type).status_code == 400
    assert buffer_size() == 0


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
    assert (buffer_size(), quarantined_codes()) == (0, [])


def test_news_that_a_device_is_silent_is_no_sign_of_life(device, server):
    offline = {"event": {"type": "deviceOffline"}, "device": {"uniqueId": "van-1"}}
    assert send_json(TRACCAR, offline, TOKEN).status_code == 200
    assert not DeviceState.objects.exists()
    assert send_json(TRACCAR, {**offline, "event": {"type": "deviceOnline"}}, TOKEN).status_code == 200
    assert DeviceState.objects.get().status == DeviceStatus.ONLINE


# --- Anything ---------------------------------------------------------------------------------------------------------

FUZZ = settings(max_examples=60)
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
    assert buffer_size() == 0


@FUZZ
@given(changes=st.dictionaries(st.sampled_from(list(position())), JSON, max_size=3))
def test_any_position_is_taken_in_whole_or_kept_aside(changes, device, key, generous):
    redis_client().delete(buffer_key(lane_of("van-1")))
    QuarantinedFix.objects.all().delete()
    response = send_json(POSITIONS, position(**changes), key)
    assert response.status_code in (200, 202, 400)
    if response.status_code != 400:
        assert (buffer_size(), len(quarantined_codes())) == ((1, 0) if response.status_code == 202 else (0, 1))
        assert drain_buffer("van-1")["rejected"] == 0


@FUZZ
@given(query=st.one_of(st.text(max_size=80).map(str.encode), st.binary(max_size=80)))
def test_any_query_is_answered(query, device, key, generous):
    # The bytes of an address are latin-1 to WSGI.
    response = Client().generic("GET", OSMAND, QUERY_STRING=f"key={key}&id=van-1&{query.decode('latin-1')}")
    assert response.status_code in (200, 400, 401, 403)
