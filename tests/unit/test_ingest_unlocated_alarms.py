"""Alarms without a usable fix: what every wire format makes of them, and what is no alarm."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.json_batch import parse_batch
from tasks_app.ingest.osmand import parse_json, parse_parameters
from tasks_app.ingest.serialise import alarm_to_item
from tasks_app.ingest.traccar_forward import parse_forward
from tasks_app.ingest.unlocated_alarms import (
    MAX_RESULT_LENGTH,
    UnlocatedAlarm,
    alarm_names,
    result_text,
    unlocated_alarm,
)

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SOS = UnlocatedAlarm("van-1", AT, ("sos",))


def query(text: str):
    return parse_parameters(parse_qs(f"id=van-1&{text}", keep_blank_values=True), now=NOW)


def client_9(**location: Any):
    given = {"timestamp": AT.isoformat(), "alarm": "sos", **location}
    return parse_json(json.dumps({"device_id": "van-1", "location": given}).encode(), now=NOW)


def own(**changes: Any):
    item = {"device_id": "van-1", "timestamp": AT.isoformat(), "attributes": {"alarm": "sos"}, **changes}
    return parse_batch([item], now=NOW)


def traccar(*, position: dict[str, Any] | None = None, **members: Any):
    time = AT.isoformat(timespec="milliseconds")
    place = {"fixTime": time, "deviceTime": time, "latitude": 0.0, "longitude": 0.0, "valid": False}
    body_position = {**place, "attributes": {"alarm": "sos"}, **(position or {})}
    body = {"position": body_position, "device": {"uniqueId": "van-1"}, **members}
    return parse_forward(json.dumps(body).encode(), now=NOW)


@pytest.mark.parametrize(
    "place", ["", "lat=&lon=", "lat=0&lon=0", "lat=-23.5", "lat=91&lon=1", "lat=nan&lon=nan", "location=,"]
)
def test_a_query_or_form_without_a_usable_place_still_tells_its_alarm(place):
    message = query(f"timestamp={int(AT.timestamp())}&alarm=sos&{place}")
    assert (message.content, message.unlocated) == (None, SOS)


@pytest.mark.parametrize(
    "coords", [None, {}, {"latitude": None, "longitude": None}, {"latitude": 0, "longitude": 0}, []]
)
def test_traccar_client_9_without_a_usable_place_still_tells_its_alarm(coords):
    message = client_9(coords=coords)
    assert (message.content, message.unlocated) == (None, SOS)


def test_an_alarm_among_the_extras_counts():
    assert client_9(alarm=None, extras={"alarm": "sos"}).unlocated == SOS


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"latitude": None, "longitude": None},
        {"latitude": 0, "longitude": 0},
        {"latitude": "north", "longitude": 1},
    ],
)
def test_a_position_in_json_that_makes_no_fix_still_tells_its_alarm(changes):
    batch = own(**changes)
    assert (batch.fixes, batch.rejected, batch.unlocated) == ([], [], {0: SOS})


def test_a_history_has_no_use_for_alarms_without_a_place():
    batch = parse_batch([{"device_id": "van-1", "attributes": {"alarm": "sos"}}], now=NOW, is_history=True)
    assert ([one.code for one in batch.rejected], batch.unlocated) == (["missing_timestamp"], {})


def test_each_item_of_a_batch_is_one_thing():
    good = {"device_id": "van-1", "timestamp": AT.isoformat(), "latitude": 1, "longitude": 2}
    bad = {"device_id": "van-1", "timestamp": AT.isoformat()}
    batch = parse_batch([bad, {**bad, "attributes": {"alarm": "sos"}}, good, "nonsense"], now=NOW)
    assert ([one.index for one in batch.rejected], list(batch.unlocated), batch.indexes) == ([0, 3], [1], [2])


@pytest.mark.parametrize("device_id", [None, "", 7, "\x00", [], "x" * 200])
def test_an_alarm_of_nobody_is_refused(device_id):
    batch = own(device_id=device_id)
    assert (len(batch.rejected), batch.unlocated) == (1, {})


def test_traccar_forwards_an_alarm_before_the_first_fix_from_1980():
    message = traccar(position={"fixTime": "1980-01-06T00:00:19.000+00:00"})
    assert (message.content, message.unlocated, message.is_from_device) == (None, SOS, True)


def test_traccar_forwards_an_alarm_without_a_fix_as_a_copy_of_the_last_one():
    earlier = AT - timedelta(minutes=3)
    copy = {"fixTime": earlier.isoformat(), "latitude": -23.5, "longitude": -46.6, "valid": True}
    message = traccar(position=copy)
    assert isinstance(message.content, Fix)
    assert message.content.fix_time == earlier
    assert message.unlocated == UnlocatedAlarm("van-1", AT, ("sos",), copied_fix_time=earlier)


@pytest.mark.parametrize("device_time", [AT.isoformat(), (AT - timedelta(hours=1)).isoformat(), None, "rubbish", 5])
def test_an_alarm_with_a_fix_of_its_own_is_no_news_beside_it(device_time):
    message = traccar(position={"latitude": -23.5, "longitude": -46.6, "deviceTime": device_time})
    assert isinstance(message.content, Fix)
    assert message.content.attributes["alarm"] == "sos"
    assert message.unlocated is None


def test_a_forwarded_event_tells_its_alarm_where_the_position_is_missing():
    event = {"type": "alarm", "eventTime": AT.isoformat(), "attributes": {"alarm": "sos"}}
    body = json.dumps({"event": event, "device": {"uniqueId": "van-1"}}).encode()
    message = parse_forward(body, now=NOW)
    assert (message.content, message.unlocated, message.is_from_device) == (None, SOS, True)


@pytest.mark.parametrize(
    "timestamp", [None, "", 0, "1980-01-06T00:00:00Z", "9999-01-01T00:00:00Z", "yesterday", [], True]
)
def test_a_receiver_without_a_fix_has_no_clock_either_and_its_alarm_is_of_now(timestamp):
    assert own(timestamp=timestamp).unlocated[0].sent_at == NOW
    assert client_9(timestamp=timestamp).unlocated.sent_at == NOW


def test_an_alarm_without_a_time_in_a_query_is_of_now():
    assert query("alarm=sos").unlocated.sent_at == NOW


def test_a_command_s_result_is_news_too():
    unlocated = UnlocatedAlarm("van-1", AT, (), result="1234")
    assert query(f"timestamp={int(AT.timestamp())}&result=1234").unlocated == unlocated
    assert client_9(alarm=None, extras={"result": "1234"}).unlocated == unlocated
    assert own(attributes={"result": "1234"}).unlocated == {0: unlocated}
    assert traccar(position={"attributes": {"result": "1234"}}).unlocated == unlocated


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" OK ", "OK"),
        ("x" * 5000, "x" * MAX_RESULT_LENGTH),
        ("a\x00b", "a\ufffdb"),
        ("", ""),
        (5, ""),
        (None, ""),
        ({}, ""),
        (True, ""),
    ],
)
def test_a_command_s_result_is_a_text_that_can_be_stored(value, text):
    assert result_text(value) == text


@pytest.mark.parametrize("alarm", [None, "", " , ", [], {}, 5, True, [None, 3]])
def test_what_names_no_alarm_is_no_news(alarm):
    batch = own(attributes={"alarm": alarm})
    assert (len(batch.rejected), batch.unlocated) == (1, {})


def test_a_message_without_place_and_alarm_is_what_it_was():
    assert query("batt=80").unlocated is None
    assert isinstance(query("lat=1").content, RejectedFix)
    assert client_9(alarm=None).content is None


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("sos", ["sos"]),
        ("sos, lowBattery,,sos", ["sos", "lowBattery"]),
        (["sos", 5, "fall, down"], ["sos", "fall, down"]),
        ("x" * 500, ["x" * 50]),
        ("a\x00b\ud800", ["a\ufffdb\ufffd"]),
        (",".join(map(str, range(100))), [str(number) for number in range(20)]),
    ],
)
def test_names_of_alarms_are_bounded_and_can_be_stored(value, names):
    assert alarm_names(value) == names


def test_news_written_as_a_position_is_read_as_the_same_news():
    unlocated = UnlocatedAlarm("van-1", AT, ("sos", "fall, down"), result="1234")
    assert parse_batch([alarm_to_item(unlocated)], now=NOW).unlocated == {0: unlocated}


@given(st.text(max_size=20), st.one_of(st.text(), st.lists(st.text()), st.integers()), st.text())
def test_any_alarm_makes_news_that_can_be_stored_or_none(device_id, alarm, timestamp):
    unlocated = unlocated_alarm(device_id=device_id, timestamp=timestamp, attributes={"alarm": alarm}, now=NOW)
    assert unlocated is None or "\x00" not in "".join([unlocated.device_id, *unlocated.alarms])
