"""Bodies that a Traccar server forwards, as its reference shows them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.traccar_forward import parse_forward

NOW = datetime(2026, 8, 21, 9, 20, tzinfo=UTC)
POSITION = {
    "id": 0,
    "attributes": {"batteryLevel": 87.0, "charge": True, "distance": 42.13, "totalDistance": 120345.6, "motion": True},
    "deviceId": 7,
    "protocol": "osmand",
    "serverTime": "2026-08-21T09:18:51.123+00:00",
    "deviceTime": "2026-08-21T09:18:49.000+00:00",
    "fixTime": "2026-08-21T09:18:49.000+00:00",
    "valid": True,
    "latitude": 59.93211,
    "longitude": 30.33050,
    "altitude": 12.0,
    "speed": 21.6,
    "course": 270.0,
    "address": None,
    "accuracy": 8.0,
    "network": None,
    "geofenceIds": [3],
}
DEVICE = {"id": 7, "attributes": {"speedLimit": 48.6}, "name": "Van 7", "uniqueId": "48241179", "status": "online"}
EVENT = {"id": 43334, "attributes": {}, "deviceId": 7, "type": "geofenceEnter", "positionId": 992, "geofenceId": 3}


def parse(**members):
    return parse_forward(json.dumps({"position": POSITION, "device": DEVICE, **members}).encode(), now=NOW)


def position(**changes):
    return parse(position={**POSITION, **changes}).content


def test_it_reads_a_forwarded_position():
    message = parse()
    fix = message.content
    assert (message.device_id, message.device_name) == ("48241179", "Van 7")
    assert isinstance(fix, Fix)
    assert fix.fix_time == datetime(2026, 8, 21, 9, 18, 49, tzinfo=UTC)
    assert (fix.latitude, fix.longitude, fix.course_degrees, fix.altitude_meters) == (59.93211, 30.33050, 270.0, 12.0)
    assert (fix.speed_kph, fix.accuracy_meters) == (pytest.approx(40.0032), 8.0)
    assert fix.attributes == {**POSITION["attributes"], "protocol": "osmand"}


def test_an_accuracy_of_0_is_unknown_and_an_invalid_fix_is_marked():
    assert position(accuracy=0.0).accuracy_meters is None
    assert position(valid=False).attributes["valid"] is False


def test_it_keeps_the_network():
    assert position(network={"radioType": "gsm"}).attributes["network"] == {"radioType": "gsm"}


def test_it_reads_the_position_of_a_forwarded_event():
    fix = parse(event=EVENT, geofence={"id": 3, "name": "Depot"}).content
    assert fix.attributes["event"] == "geofenceEnter"


@pytest.mark.parametrize(
    ("kind", "heard"), [("deviceOnline", True), ("deviceOffline", False), ("deviceUnknown", False)]
)
def test_an_event_without_a_position_tells_whether_the_device_spoke(kind, heard):
    given = json.dumps({"event": {**EVENT, "type": kind}, "device": DEVICE}).encode()
    message = parse_forward(given, now=NOW)
    assert (message.content, message.is_from_device) == (None, heard)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"latitude": 91}, "invalid_latitude"),
        ({"longitude": None}, "missing_longitude"),
        ({"latitude": 0, "longitude": 0}, "no_fix"),
        ({"fixTime": None}, "missing_timestamp"),
        ({"fixTime": "1970-01-01T00:00:00.000+00:00"}, "timestamp_too_old"),
        ({"fixTime": "2026-08-23T09:18:49.000+00:00"}, "timestamp_in_future"),
    ],
)
def test_it_refuses_positions_that_cannot_be_right(changes, code):
    content = position(**changes)
    assert isinstance(content, RejectedFix)
    assert content.code == code


@pytest.mark.parametrize("found", [None, [], 5])
def test_it_refuses_a_message_without_a_position(found):
    assert parse(position=found).content.code == "missing_position"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (b"", "not_json"),
        (b"[" * 100_000, "too_deep"),
        (b"[]", "wrong_shape"),
        (b"{}", "missing_device_id"),
        (b'{"device": []}', "missing_device_id"),
        (b'{"device": {"uniqueId": null}}', "missing_device_id"),
        (b'{"device": {"uniqueId": 5}}', "invalid_device_id"),
    ],
)
def test_bodies_that_cannot_be_read_are_body_errors(given, code):
    with pytest.raises(BodyError) as raised:
        parse_forward(given, now=NOW)
    assert raised.value.code == code


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(POSITION)), JSON, max_size=6), JSON)
def test_any_position_and_event_make_a_message(changes, event):
    content = parse(position={**POSITION, **changes}, event=event).content if _is_json(changes, event) else None
    assert content is None or isinstance(content, Fix | RejectedFix)


def _is_json(*values: object) -> bool:
    try:
        json.dumps(values, allow_nan=False)
    except ValueError:
        return False
    return True
