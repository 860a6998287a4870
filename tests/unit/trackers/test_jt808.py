"""JT/T 808: the vendors' examples, headers of 2013 and 2019, locations and batches, answers by serial number, commands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import xor
from struct import pack

import pytest

from tasks_app.ingest.trackers.base import (
    BadFrame,
    CommandAnswer,
    Decoded,
    InvalidCommand,
    OutgoingCommand,
    TrackerSession,
)
from tasks_app.ingest.trackers.jt808 import PROTOCOL
from tests.support.tracker_vectors import VECTORS

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
PHONE = "002002604323"
BY_NAME = {vector.name: vector for vector in VECTORS["jt808"]}


def decoded(name: str) -> Decoded:
    return PROTOCOL.decode(BY_NAME[name].data, BY_NAME[name].session(), NOW)


def frame_of(message: int, body: bytes, *, phone: str = PHONE, attributes: int = 0) -> bytes:
    content = pack(">HH", message, len(body) | attributes) + bytes.fromhex(phone) + b"\x00\x09" + body
    content += bytes([reduce(xor, content)])
    return b"\x7e" + content.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"\x7e"


def read(message: int, body: bytes, session: TrackerSession | None = None) -> Decoded:
    return PROTOCOL.decode(frame_of(message, body), session or TrackerSession(), NOW)


def place(clock: str = "261123180000", *, alarms: int = 0, state: int = 0x0E, items: bytes = b"") -> bytes:
    """A valid place near São Paulo, 18:00 in China."""
    fixed = pack(">IIIIhHH", alarms, state, 23_550_000, 46_630_000, 760, 835, 198)
    return fixed + bytes.fromhex(clock) + items


# --- Vectors ----------------------------------------------------------------------------------------------------------


def test_a_registration_gets_the_identifier_as_its_code_and_others_no_such_terminal():
    found = decoded("registration")
    assert (found.kind, found.device_id) == ("login", PHONE)
    assert found.reply[1:-2] == bytes.fromhex("8100000f0020026043230000000800") + PHONE.encode()
    assert found.refusal[13:16] == bytes.fromhex("000804")


def test_an_authentication_is_answered():
    found = decoded("authentication")
    assert (found.kind, found.device_id) == ("login", "002002604325")
    assert found.reply[1:3] == bytes.fromhex("8001")


def test_a_location():
    found = decoded("location")
    (message,) = found.messages
    fix = message.content
    assert (found.kind, found.device_id, fix.device_id) == ("position", PHONE, PHONE)
    assert found.reply == bytes.fromhex("7E80010005002002604323000000A4020000007E")
    assert fix.fix_time == datetime(2021, 9, 22, 8, 37, 58, tzinfo=UTC)
    assert (fix.latitude, fix.longitude) == (22.591771, 113.995873)
    assert (fix.altitude_meters, fix.speed_kph, fix.course_degrees) == (70.0, 0.0, 89.0)
    wanted = {"ignition": False, "blocked": False, "odometer": 100, "obdSpeed": 0.0, "rssi": 17, "sat": 16}
    assert wanted.items() <= fix.attributes.items()


def test_a_location_of_2019_has_a_longer_number_and_is_answered_alike():
    found = decoded("location of 2019")
    (message,) = found.messages
    fix = message.content
    assert (found.kind, found.device_id) == ("alarm", "00000352093086403655")
    assert fix.fix_time == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert (fix.latitude, fix.longitude, fix.speed_kph) == (-23.55, -46.63, 83.5)
    wanted = {"ignition": True, "blocked": True, "odometer": 12_345_600, "sat": 9, "alarm": "sos"}
    assert fix.attributes == wanted
    # 2019's bit and version, and the serial 7D7E, escaped.
    assert found.reply[:6] == bytes.fromhex("7e8001400501")
    assert bytes.fromhex("7d017d02") in found.reply


def test_a_batch_of_kept_locations():
    found = decoded("batch")
    assert [message.content.attributes.get("archive") for message in found.messages] == [True, True]
    assert found.reply[1:3] == bytes.fromhex("8001")


def test_an_answer_repeats_our_serial_number():
    answer = decoded("general answer").answer
    assert answer == CommandAnswer("ok", token="4711", name="8105", is_success=True)
    assert decoded("general answer").reply == b""


def test_a_text_answers_a_text():
    assert decoded("text").answer == CommandAnswer("MD,SET CONFIG OK!", name="8300", is_success=True)


def test_a_part_is_answered_as_unsupported():
    found = decoded("part of a picture")
    assert (found.kind, found.reply[1:3], found.reply[17]) == ("other", bytes.fromhex("8001"), 3)


# --- Locations --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alarms", "expected"),
    [
        (1 << 0, "sos"),
        (1 << 1, "overspeed"),
        (1 << 2, "fatigueDriving"),
        (1 << 7, "lowPower"),
        (1 << 8, "powerCut"),
        (1 << 29, "accident"),
        (1 << 4 | 1 << 9 | 1 << 0, "sos,fault"),
        (1 << 6, None),
    ],
)
def test_alarms_have_their_names(alarms, expected):
    assert read(0x0200, place(alarms=alarms)).messages[0].content.attributes.get("alarm") == expected


def test_an_alarm_without_a_fix_counts():
    found = read(0x0200, place(alarms=1, state=0x0C))
    assert (found.kind, found.messages[0].content, found.messages[0].unlocated.alarms) == ("alarm", None, ("sos",))


def test_a_location_without_a_fix_says_the_state_of_the_relay():
    assert [read(0x0200, place(state=state)).is_relay_cut for state in (0x0400, 0x0800, 0)] == [True, True, False]
    assert read(0x0200, place(state=0x040E)).is_relay_cut is None


@pytest.mark.parametrize(("zone_minutes", "hour"), [(None, 10), (480, 10), (0, 18), (-180, 21)])
def test_the_clock_shows_chinas_time_unless_the_setting_says_otherwise(zone_minutes, hour):
    session = TrackerSession(zone_minutes=zone_minutes)
    fix = read(0x0200, place("261122180000"), session).messages[0].content
    assert fix.fix_time == datetime(2026, 11, 22, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("clock", "code"),
    [
        ("000000000000", "invalid_timestamp"),
        ("26112318000f", "invalid_timestamp"),
        ("380119031408", "timestamp_in_future"),
        ("800106000000", "timestamp_in_future"),
        ("000102000000", "timestamp_too_old"),
    ],
)
def test_a_wrong_clock_refuses_the_fix(clock, code):
    assert read(0x0200, place(clock)).messages[0].content.code == code


def test_a_clock_of_the_period_of_gps_weeks_before_is_put_right():
    clock = f"{NOW + timedelta(hours=8) - timedelta(weeks=1024):%y%m%d%H%M%S}"
    assert read(0x0200, place(clock)).messages[0].content.fix_time == NOW


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("0304", {}),
        ("010400000001", {"odometer": 100}),
        ("0202000a0302020d", {"fuel": 1.0, "obdSpeed": 52.5}),
        ("2b0400640032", {"adc1": 50, "adc2": 100}),
        ("2a020003", {"io42": 3}),
        ("e1050102030405", {"io225": "0102030405"}),
        ("e10031010930", {"sat": 9}),
    ],
)
def test_items_are_attributes_and_one_that_is_cut_off_ends_them(items, expected):
    fix = read(0x0200, place(items=bytes.fromhex(items))).messages[0].content
    assert fix.attributes == {"ignition": False, "blocked": False, **expected}


# --- Damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (frame_of(0x0200, place()).replace(b"\x26\x11\x23", b"\x26\x11\x24"), "wrong_checksum"),
        (b"\x7e\x7e", "wrong_checksum"),
        (b"\x7e\x00\x00\x7e", "wrong_length"),
        (frame_of(0x0200, place(), attributes=0x0400), "encrypted"),
        (frame_of(0x0200, place(), attributes=0x0001), "wrong_length"),
        (frame_of(0x0002, b"", phone="0000035209308640365f", attributes=0x4000), "wrong_length"),
    ],
)
def test_a_frame_that_cannot_be_right_is_bad(frame, code):
    with pytest.raises(BadFrame) as raised:
        PROTOCOL.decode(frame, TrackerSession(), NOW)
    assert raised.value.code == code


def test_frames_may_share_the_mark_between_them():
    first, second = BY_NAME["location"].data, BY_NAME["heartbeat"].data
    found = PROTOCOL.cut(b"noise" + first + second[1:] + first, TrackerSession())
    assert (found.frames, found.skipped) == ([first[:-1], second[:-1], first[:-1]], 5)
    assert found.used == 5 + len(first) + len(second) - 1 + len(first) - 1


def test_a_mark_that_is_shared_may_come_before_the_rest():
    first, second = BY_NAME["location"].data, BY_NAME["heartbeat"].data
    session = TrackerSession()
    found = PROTOCOL.cut(first, session)
    assert found.frames == [first[:-1]]
    assert PROTOCOL.cut(first[found.used :] + second[1:], session).frames == [second[:-1]]
    assert PROTOCOL.cut(first[found.used :] + second, session).frames == [second[:-1]]
    assert PROTOCOL.cut(first, TrackerSession(transport="udp")).used == len(first)


def test_a_tracker_whose_number_is_no_digits_is_an_imei():
    frame = frame_of(0x0002, b"", phone="0b3a73ce2ff2")
    assert PROTOCOL.decode(frame, TrackerSession(), NOW).device_id == "123456789012345"[:14] + "7"


def test_an_unknown_message_is_answered_as_unsupported():
    found = read(0x0F00, b"\x01")
    assert (found.kind, found.reply[17]) == ("other", 3)


# --- Answers and commands ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "text", "is_success"),
    [
        (0, "ok", True),
        (1, "failed", False),
        (2, "wrong message", False),
        (3, "unsupported", False),
        (9, "result 9", False),
    ],
)
def test_a_general_answer_says_whether_it_was_done(result, text, is_success):
    answer = read(0x0001, pack(">HHB", 42, 0x8105, result)).answer
    assert answer == CommandAnswer(text, token="42", name="8105", is_success=is_success)


def test_an_asked_location_is_an_answer_and_a_fix():
    found = read(0x0201, pack(">H", 42) + place())
    assert found.answer == CommandAnswer("position", token="42", name="8201", is_success=True)
    assert found.messages[0].content.latitude == -23.55


def test_parameters_are_a_text():
    body = pack(">HB", 42, 2) + pack(">IBI", 0x0029, 4, 30) + pack(">IB", 0x0013, 7) + b"gps.org"
    assert read(0x0104, body).answer.text == "0029=30 0013=gps.org"


def encode(type_name: str, session: TrackerSession | None = None, *, number: int = 42, **parameters: object):
    command = OutgoingCommand(type_name, parameters, number=number, now=NOW)
    return PROTOCOL.encode(command, session or TrackerSession(device_id=PHONE))


@pytest.mark.parametrize(
    ("type_name", "parameters", "message", "body"),
    [
        ("position_request", {}, 0x8201, ""),
        ("position_interval", {"interval_seconds": 30}, 0x8103, "0100000029040000001e"),
        ("engine_stop", {}, 0x8105, "f0"),
        ("engine_resume", {}, 0x8105, "f1"),
        ("reboot", {}, 0x8105, "04"),
        ("set_odometer", {"odometer_meters": 123_456}, 0x8103, "01000000800400000 4d2".replace(" ", "")),
        ("overspeed_alarm", {"speed_kph": 110}, 0x8103, "0100000055040000006e"),
        ("set_server", {"host": "a.example", "port": 5015}, 0x8103, "020000001309612e6578616d706c65000000180400001397"),
        ("firmware", {"url": "http://a.example/f"}, 0x8105, "01" + b"http://a.example/f;;;;;;;;;;".hex()),
        ("custom", {"text": "STATUS"}, 0x8300, "01535441545553"),
    ],
)
def test_types_are_messages(type_name, parameters, message, body):
    found = encode(type_name, **parameters)
    content = found.data.strip(b"\x7e").replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
    assert reduce(xor, content) == 0
    assert content[:2] == pack(">H", message)
    assert (content[4:10].hex(), content[10:12], content[12:-1].hex()) == (PHONE, b"\x00\x2a", body)
    assert (found.token, found.name) == ("42", f"{message:04X}")


def test_a_command_has_the_header_of_the_tracker():
    session = TrackerSession(device_id="00000352093086403655")
    expected = bytes.fromhex("7e8105400101 00000352093086403655 002a f0".replace(" ", ""))
    assert encode("engine_stop", session).data[:-2] == expected
    PROTOCOL.decode(BY_NAME["location of 2019"].data, session, NOW)
    assert encode("engine_stop", session).data[:-2] == expected


def test_a_number_that_is_an_imei_is_sent_as_it_came():
    expected = bytes.fromhex("7e810500010b3a73ce2ff2002af00e7e")
    assert encode("engine_stop", TrackerSession(device_id="123456789012347")).data == expected


@pytest.mark.parametrize("number", [1, 65_535, 65_536, 2**40])
def test_a_serial_number_is_never_zero_and_its_answer_has_the_same_token(number):
    found = encode("reboot", number=number)
    assert 0 < int(found.token) < 65_536
    assert read(0x0001, pack(">HHB", int(found.token), 0x8105, 0)).answer.token == found.token


@pytest.mark.parametrize(
    ("type_name", "parameters", "device_id"),
    [
        ("output", {"output": 1, "is_on": True}, PHONE),
        ("custom", {"text": "ação"}, PHONE),
        ("set_server", {"host": "a b", "port": 1}, PHONE),
        ("firmware", {"url": "http://a;b"}, PHONE),
        ("reboot", {}, "van-1"),
        ("reboot", {}, "1" * 21),
    ],
)
def test_it_refuses_what_it_cannot_say(type_name, parameters, device_id):
    with pytest.raises(InvalidCommand):
        encode(type_name, TrackerSession(device_id=device_id), **parameters)
