"""Messages of the OwnTracks apps, in the product's units."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.message import DeviceMessage
from tasks_app.ingest.owntracks import Names, decode_messages, names_in, parse_message

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
AT = NOW - timedelta(seconds=30)
LOCATION = {
    "_type": "location",
    "tst": int(AT.timestamp()),
    "lat": -23.55,
    "lon": -46.63,
    "acc": 10,
    "alt": 760,
    "vel": 36,
    "cog": 324,
    "batt": 40,
    "bs": 2,
    "conn": "w",
    "t": "u",
    "tid": "xx",
    "topic": "owntracks/user/phone",
    "created_at": 1795860061,
    "_id": "",
    "inregions": [],
}


def parse(**changes: Any) -> DeviceMessage:
    return parse_message({**LOCATION, **changes}, device_id="van-1", now=NOW)


def test_it_reads_a_location() -> None:
    attributes = {"batteryLevel": 40, "charge": True, "conn": "w", "trigger": "u", "tid": "xx"}
    assert parse().content == Fix("van-1", AT, -23.55, -46.63, 36.0, 324.0, 760.0, 10.0, attributes)


def test_it_reads_the_documentation_s_example() -> None:
    body = (
        b'{"cog":271,"lon":2.29513,"acc":5,"vel":61,"vac":21,"lat":48.85833,"tst":1497349316,"alt":167,'
        b'"_type":"location","tid":"JJ","t":"u","batt":67}'
    )
    (message,) = decode_messages(body)
    fix = parse_message(message, device_id="van-1", now=NOW).content
    assert isinstance(fix, Fix)
    assert fix.fix_time == datetime(2017, 6, 13, 10, 21, 56, tzinfo=UTC)
    assert (fix.latitude, fix.longitude, fix.speed_kph, fix.course_degrees) == (48.85833, 2.29513, 61.0, 271.0)
    assert (fix.altitude_meters, fix.accuracy_meters, fix.attributes["batteryLevel"]) == (167.0, 5.0, 67)


@pytest.mark.parametrize(("state", "charge"), [(0, None), (1, False), (2, True), (3, True), (9, None), ("2", None)])
def test_the_battery_s_state_says_whether_it_is_charging(state: object, charge: bool | None) -> None:
    content = parse(bs=state).content
    assert isinstance(content, Fix)
    assert content.attributes.get("charge") is charge


@pytest.mark.parametrize("name", ["vel", "cog", "acc", "batt"])
def test_what_ios_does_not_know_is_below_zero(name: str) -> None:
    content = parse(**{name: -1}).content
    assert isinstance(content, Fix)
    assert None in (
        content.speed_kph,
        content.course_degrees,
        content.accuracy_meters,
        content.attributes.get("batteryLevel"),
    )
    assert content.unknown == ()


@pytest.mark.parametrize(
    ("name", "quantity"),
    [("vel", "speed"), ("cog", "course"), ("acc", "accuracy"), ("alt", "altitude"), ("batt", "battery")],
)
@pytest.mark.parametrize("odd", ["NaN", "x", True, [], 1e9, {}])
def test_an_odd_quantity_costs_itself_only(name: str, quantity: str, odd: object) -> None:
    content = parse(**{name: odd}).content
    assert isinstance(content, Fix)
    assert (content.latitude, content.unknown) == (-23.55, (quantity,))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lat": 91}, "invalid_latitude"),
        ({"lat": None}, "missing_latitude"),
        ({"lon": "x"}, "invalid_longitude"),
        ({"lat": 0, "lon": 0}, "no_fix"),
        ({"tst": None}, "missing_timestamp"),
        ({"tst": "now"}, "invalid_timestamp"),
        ({"tst": 0}, "timestamp_too_old"),
        ({"_type": 5}, "wrong_shape"),
        ({"_type": None}, "wrong_shape"),
        ({"_type": ""}, "wrong_shape"),
        ({"_type": "encrypted", "data": "abc"}, "encrypted"),
    ],
)
def test_it_refuses_what_cannot_be_right(changes: dict[str, Any], code: str) -> None:
    content = parse(**changes).content
    assert isinstance(content, RejectedFix)
    assert content.code == code


def test_entering_a_region_is_a_fix_that_says_so() -> None:
    content = parse(_type="transition", event="enter", desc="Depot", wtst=1, t="c", batt=None).content
    assert isinstance(content, Fix)
    assert content.attributes["event"] == "enter"
    assert (content.attributes["region"], content.attributes["trigger"]) == ("Depot", "c")


@pytest.mark.parametrize(
    "kind", ["waypoint", "waypoints", "cmd", "card", "status", "steps", "beacon", "configuration", "new"]
)
def test_other_messages_are_signs_of_life(kind: str) -> None:
    message = parse(_type=kind)
    assert (message.content, message.unlocated, message.is_from_device) == (None, None, True)


def test_a_last_will_is_not_from_the_phone() -> None:
    assert not parse(_type="lwt").is_from_device


def test_the_time_of_a_rolled_over_week_is_put_right() -> None:
    content = parse(tst=int((AT - timedelta(weeks=1024)).timestamp())).content
    assert isinstance(content, Fix)
    assert (content.fix_time, content.attributes["gpsWeekRollover"]) == (AT, 1024)


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ({"topic": "owntracks/jane/phone", "tid": "JP"}, Names("jane", "phone", "JP")),
        ({"topic": "owntracks/jane/phone/event"}, Names("jane", "phone")),
        ({"topic": "NOKEY", "tid": "JP"}, Names(letters="JP")),
        ({"topic": 5, "tid": 5}, Names()),
        ({}, Names()),
        ([], Names()),
    ],
)
def test_it_finds_the_names_of_a_phone(message: object, names: Names) -> None:
    assert names_in(message) == names


def test_the_likeliest_identifier_comes_first() -> None:
    assert Names("jane", "phone", "JP").identifiers() == ["jane-phone", "phone", "jane", "JP"]
    assert Names(letters="JP").identifiers() == ["JP"]
    assert Names().identifiers() == []


@pytest.mark.parametrize(("body", "count"), [(b"", 0), (b"  \n", 0), (b"[]", 0), (b"{}", 1), (b"[{}, {}, 5]", 3)])
def test_a_body_holds_one_message_or_a_list_or_nothing(body: bytes, count: int) -> None:
    assert len(decode_messages(body)) == count


@pytest.mark.parametrize("body", [b"{", b"x=1", b"[" * 100_000, b"[" + b"1," * 1000 + b"1]", b'{"a": "\xff"}'])
def test_a_body_that_cannot_be_read_is_a_body_error(body: bytes) -> None:
    with pytest.raises(BodyError):
        decode_messages(body)


anything = (
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
)


@given(st.dictionaries(st.sampled_from([*LOCATION, "event", "desc"]), anything, max_size=8))
def test_whatever_comes_makes_a_message(changes: dict[str, Any]) -> None:
    for message in (changes, {**LOCATION, **changes}):
        content = parse_message(message, device_id="van-1", now=NOW).content
        assert content is None or isinstance(content, Fix | RejectedFix)
        if isinstance(content, Fix):
            json.dumps(content.attributes, allow_nan=False).encode()
