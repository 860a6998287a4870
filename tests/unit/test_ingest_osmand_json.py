"""JSON of the OsmAnd protocol (Traccar Client 9), and nothing but BodyError out of garbage."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix
from tasks_app.ingest.osmand import parse_json
from tests.support.osmand import AT, NOW, is_sound, refusal_of

COORDS = {"latitude": 37.4219983, "longitude": -122.084, "accuracy": 5, "speed": 0, "heading": -1, "altitude": 5}


def body(coords=COORDS, device_id="48241179", **location) -> bytes:
    given = {"timestamp": "2026-11-23T10:00:00.000Z", "coords": coords, **location}
    return json.dumps({"location": given, "device_id": device_id}).encode()


def json_fix(**changes) -> Fix:
    content = parse_json(body(**changes), now=NOW).content
    assert isinstance(content, Fix), content
    return content


def test_it_reads_what_traccar_client_9_sends():
    fix = json_fix(
        is_moving=False,
        odometer=1200,
        event="motionchange",
        battery={"level": 1, "is_charging": False},
        activity={"type": "still"},
        extras={},
        _="&id=48241179&lat=37.4219983&lon=-122.084&timestamp=2025-06-15T13:45:12.862Z&",
        uuid="0",
        age=5,
    )
    assert (fix.device_id, fix.fix_time) == ("48241179", AT)
    assert (fix.latitude, fix.longitude, fix.speed_kph, fix.course_degrees) == (37.4219983, -122.084, 0.0, None)
    assert (fix.altitude_meters, fix.accuracy_meters) == (5.0, 5.0)
    assert fix.attributes == {
        "motion": False,
        "odometer": 1200,
        "event": "motionchange",
        "batteryLevel": 100,
        "activity": "still",
    }


def test_speed_in_json_is_in_meters_per_second_and_minus_one_is_unknown():
    assert json_fix(coords={**COORDS, "speed": 10}).speed_kph == 36.0
    unknown = json_fix(coords={**COORDS, "speed": -1, "heading": -1, "accuracy": -1})
    assert (unknown.speed_kph, unknown.course_degrees, unknown.accuracy_meters) == (None, None, None)


def test_a_good_place_is_kept_when_the_rest_is_missing():
    fix = json_fix(coords={"latitude": 1, "longitude": 2, "altitude": None})
    assert (fix.speed_kph, fix.altitude_meters) == (None, None)


@pytest.mark.parametrize(
    ("given", "attributes"),
    [
        ({"battery": {"level": 0.29, "is_charging": True}}, {"batteryLevel": 29, "charge": True}),
        ({"battery": {"level": -1, "is_charging": False}}, {}),
        ({"battery": {"level": 55}}, {}),
        ({"battery": []}, {}),
        ({"activity": {}}, {}),
        ({"activity": "still"}, {}),
        ({"is_moving": 1}, {}),
        ({"odometer": True}, {}),
        ({"odometer": "12"}, {}),
        ({"mock": True, "alarm": "sos"}, {"mock": True, "alarm": "sos"}),
        ({"extras": {"a": 1, "b": 2.5, "c": "x", "d": False}}, {"a": 1, "b": 2.5, "c": "x", "d": False}),
        ({"extras": {"nested": {}, "list": [], "nothing": None}}, {}),
        ({"extras": {"alarm": "extra"}, "alarm": "sos"}, {"alarm": "sos"}),
    ],
)
def test_the_app_s_other_members_become_attributes(given, attributes):
    assert json_fix(**given).attributes == attributes


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"timestamp": None}, "missing_timestamp"),
        ({"timestamp": "2026-11-23T10:00:00"}, "timestamp_without_zone"),
        ({"timestamp": True}, "invalid_timestamp"),
        ({"timestamp": []}, "invalid_timestamp"),
        ({"coords": {**COORDS, "latitude": 91}}, "invalid_latitude"),
        ({"coords": {**COORDS, "latitude": "37.4"}}, "invalid_latitude"),
        ({"coords": {**COORDS, "latitude": True}}, "invalid_latitude"),
        ({"coords": {**COORDS, "longitude": None}}, "missing_longitude"),
        ({"coords": {**COORDS, "latitude": 0, "longitude": 0}}, "no_fix"),
        ({"coords": []}, "invalid_coords"),
    ],
)
def test_it_refuses_json_that_cannot_be_right(changes, code):
    assert refusal_of(parse_json(body(**changes), now=NOW)) == code


def test_json_without_a_place_is_a_sign_of_life():
    assert parse_json(body(coords=None), now=NOW).content is None


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"[" * 100_000, "too_deep"),
        (b'{"device_id": NaN}', "invalid_device_id"),
        (b'{"device_id": "\xff"}', "not_json"),
        (b'{"device_id": ' + b"9" * 5000 + b"}", "not_json"),
        (b"[]", "wrong_shape"),
        (b"null", "wrong_shape"),
        (b"{}", "missing_device_id"),
        (b'{"device_id": 7}', "invalid_device_id"),
        (b'{"device_id": true}', "invalid_device_id"),
        (b'{"device_id": "\\u0000"}', "invalid_device_id"),
        (b'{"device_id": ""}', "missing_device_id"),
    ],
)
def test_bodies_that_cannot_be_read_are_body_errors(given, code):
    with pytest.raises(BodyError) as raised:
        parse_json(given, now=NOW)
    assert raised.value.code == code


@pytest.mark.parametrize("location", [None, [], 5, "x"])
def test_a_body_without_a_location_is_refused(location):
    assert refusal_of(parse_json(json.dumps({"device_id": "7", "location": location}).encode(), now=NOW)) == (
        "missing_location"
    )


# --- Anything ---------------------------------------------------------------------------------------------------------


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    [
        *("timestamp", "coords", "is_moving", "odometer", "event", "mock", "battery", "activity", "alarm", "extras"),
    ]
)
COORD_NAMES = st.sampled_from(list(COORDS))


@given(st.dictionaries(MEMBERS, JSON, max_size=6), st.dictionaries(COORD_NAMES, JSON, max_size=6), JSON)
def test_any_json_makes_a_message_or_a_body_error(members, coords, device_id):
    location = {"timestamp": "2026-11-23T10:00:00Z", "coords": {**COORDS, **coords}, **members}
    for value in (device_id, "7"):
        given = json.dumps({"device_id": value, "location": location}).encode()
        with suppress(BodyError):
            assert is_sound(parse_json(given, now=NOW))
