"""GT06: documented examples, states and alarms, zones of clocks, answers by server flag, and the commands it takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from struct import pack

import pytest

from tasks_app.ingest.fix import Fix
from tasks_app.ingest.trackers.base import (
    BadFrame,
    CommandAnswer,
    Decoded,
    InvalidCommand,
    OutgoingCommand,
    TrackerSession,
)
from tasks_app.ingest.trackers.checksums import crc16_x25
from tasks_app.ingest.trackers.gt06 import PROTOCOL
from tests.support.tracker_vectors import VECTORS

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
IMEI = "352093086403655"
BY_NAME = {vector.name: vector for vector in VECTORS["gt06"]}


def decoded(name: str) -> Decoded:
    vector = BY_NAME[name]
    return PROTOCOL.decode(vector.data, vector.session(), NOW)


def frame_of(kind: int, content: bytes, *, is_long: bool = False) -> bytes:
    length = len(content) + 5
    body = (pack(">H", length) if is_long else bytes([length])) + bytes([kind]) + content + b"\x00\x07"
    return (b"yy" if is_long else b"xx") + body + crc16_x25(body).to_bytes(2, "big") + b"\r\n"


def read(kind: int, content: bytes, session: TrackerSession | None = None, *, is_long: bool = False) -> Decoded:
    return PROTOCOL.decode(frame_of(kind, content, is_long=is_long), session or TrackerSession(device_id=IMEI), NOW)


def place(at: datetime = NOW, *, flags: int = 0x1800 | 198) -> bytes:
    """A valid place near São Paulo: south and west."""
    clock = (at.year - 2000, at.month, at.day, at.hour, at.minute, at.second)
    return bytes(clock) + pack(">BIIBH", 0xC9, 42_300_000, 83_880_000, 60, flags)


# --- Vectors ----------------------------------------------------------------------------------------------------------


def test_a_login_is_the_imei_and_is_answered_with_its_serial():
    found = decoded("login")
    assert (found.kind, found.device_id) == ("login", "864717003283581")
    assert (found.reply, found.refusal) == (bytes.fromhex("78780501000955940D0A"), b"")


def test_a_position():
    found = decoded("position")
    fix = found.messages[0].content
    assert (found.kind, found.reply[:6]) == ("position", bytes.fromhex("78780512006A"))
    assert fix.fix_time == datetime(2019, 3, 18, 11, 37, 36, tzinfo=UTC)
    assert (fix.latitude, fix.longitude) == (pytest.approx(11.391913, abs=1e-6), pytest.approx(77.890640, abs=1e-6))
    assert (fix.speed_kph, fix.course_degrees, fix.attributes) == (3.0, 51.0, {"sat": 7, "ignition": True})


def test_a_position_that_was_kept():
    fix = decoded("position sent later").messages[0].content
    assert fix.fix_time == datetime(2015, 12, 29, 2, 51, 5, tzinfo=UTC)
    assert (fix.latitude, fix.longitude) == (pytest.approx(23.111693, abs=1e-6), pytest.approx(114.409298, abs=1e-6))
    assert fix.attributes == {"sat": 9, "ignition": False, "archive": True}


def test_an_alarm_without_a_fix_has_no_place_and_is_answered():
    found = decoded("alarm")
    (message,) = found.messages
    assert (found.kind, message.content, message.unlocated.alarms) == ("alarm", None, ("vibration",))
    assert message.unlocated.sent_at == datetime(2018, 3, 12, 6, 56, 22, tzinfo=UTC)
    assert found.reply[:6] == bytes.fromhex("78780526000D")


def test_a_status_is_a_sign_of_life_and_is_answered():
    found = decoded("status")
    assert (found.kind, found.reply) == ("heartbeat", bytes.fromhex("7878051302729b5d0d0a"))
    assert [(message.content, message.unlocated) for message in found.messages] == [(None, None)]


def test_an_answer_to_a_command():
    assert decoded("answer").answer == CommandAnswer("Cut off the fuel supply: Success!", is_success=True)


# --- States and alarms ------------------------------------------------------------------------------------------------


def test_the_next_fix_carries_relay_battery_and_signal_of_the_status():
    session = TrackerSession(device_id=IMEI)
    read(0x13, bytes([0x82, 5, 3, 0, 2]), session)
    fix = read(0x12, place(), session).messages[0].content
    wanted = {
        "sat": 9,
        "blocked": True,
        "ignition": True,
        "charge": False,
        "armed": False,
        "batteryLevel": 83,
        "rssi": 3,
    }
    assert fix.attributes == wanted
    kept = read(0x12, place(NOW - timedelta(hours=5)), session).messages[0].content
    assert kept.attributes == {"sat": 9}


def test_the_relay_of_before_a_command_is_not_taken_for_its_effect():
    session = TrackerSession(device_id=IMEI)
    read(0x13, bytes([0x80, 5, 3, 0, 2]), session)
    read(0x15, bytes([4 + 12]) + bytes(4) + b"Relay,1# ok!", session)
    assert "blocked" not in read(0x12, place(), session).messages[0].content.attributes
    read(0x13, bytes([0x80, 5, 3, 0, 2]), session)
    assert read(0x12, place(), session).messages[0].content.attributes["blocked"] is True


def test_frames_without_a_place_say_the_state_of_the_relay():
    assert [read(0x13, bytes([state, 5, 3, 0, 2])).is_relay_cut for state in (0x80, 0x00)] == [True, False]
    assert decoded("alarm").is_relay_cut is False
    assert read(0x26, place() + b"\x09" + bytes(8) + bytes([0x80, 6, 4, 1, 2])).is_relay_cut is None
    assert decoded("answer").is_relay_cut is None


def test_a_4g_heartbeat_has_volts_and_an_information_frame_those_of_the_vehicle():
    session = TrackerSession(device_id=IMEI)
    found = read(0x23, bytes([0x02]) + pack(">HB", 412, 4), session)
    assert found.reply[:4] == bytes.fromhex("78780523")
    assert read(0x12, place(), session).messages[0].content.attributes["battery"] == 4.12
    assert read(0x94, b"\x00" + pack(">H", 1264), session, is_long=True).reply == b""
    assert read(0x12, place(), session).messages[0].content.attributes["power"] == 12.64


def test_a_question_for_the_time_is_answered_in_utc():
    found = read(0x8A, b"")
    assert found.reply == frame_of(0x8A, bytes([26, 11, 23, 10, 0, 30]))


@pytest.mark.parametrize(
    ("information", "alarm", "expected"),
    [
        (0x00, 0x01, ("sos",)),
        (0x00, 0x02, ("powerCut",)),
        (0x10, 0x00, ("powerCut",)),
        (0x20, 0x09, ("vibration", "sos")),
        (0x18, 0x0E, ("lowBattery",)),
        (0x00, 0x26, ("hardAcceleration",)),
        (0x00, 0x27, ("hardBraking",)),
        (0x00, 0x2A, ("hardCornering",)),
        (0x00, 0x2C, ("accident",)),
        (0x00, 0x13, ("tampering",)),
    ],
)
def test_alarms_have_their_names_in_a_status_and_at_a_place(information, alarm, expected):
    state = bytes([information, 6, 4, alarm, 2])
    assert read(0x13, state).messages[0].unlocated.alarms == expected
    found = read(0x26, place() + b"\x09" + bytes(8) + state)
    assert found.messages[0].content.attributes["alarm"] == ",".join(expected)
    assert found.reply


def test_an_alarm_without_a_cell_is_the_one_it_names():
    found = read(0x26, place() + b"\x00" + bytes([0x02, 6, 4, 1, 2])).messages[0].content
    assert (found.attributes["alarm"], found.attributes["ignition"], found.attributes["rssi"]) == ("sos", True, 4)


def test_a_4g_position_has_longer_cells_and_an_odometer():
    tail = pack(">HHIQ", 724, 5, 4711, 815) + bytes([1, 0, 0]) + pack(">I", 123_456)
    fix = read(0xA0, place() + tail).messages[0].content
    assert fix.attributes == {"sat": 9, "ignition": True, "odometer": 123_456}
    assert (fix.latitude, fix.longitude) == (-23.5, -46.6)


def test_a_network_code_of_two_bytes_moves_what_follows():
    fix = read(0x22, place() + pack(">HHHBH", 0x8000 | 724, 5, 4711, 0, 815) + bytes([1, 0, 1])).messages[0].content
    assert fix.attributes == {"sat": 9, "ignition": True, "archive": True}


# --- Clocks -----------------------------------------------------------------------------------------------------------


def login(zone: int) -> bytes:
    return bytes.fromhex("0352093086403655") + b"\x00\x01" + pack(">H", zone)


@pytest.mark.parametrize(
    ("zone", "setting", "hours"),
    [
        (None, None, 0),
        (800 << 4, None, -8),
        ((300 << 4) | 0x8, None, 3),
        (530 << 4, None, -5.5),
        (800 << 4, 0, 0),  # the device's setting outweighs the login
        (None, -180, 3),
        ((4095 << 4) | 0x8, None, 0),
        (1500 << 4, None, 0),
        (375 << 4, None, 0),
    ],
)
def test_the_clock_shows_the_zone_of_the_setting_or_of_the_login(zone, setting, hours):
    session = TrackerSession(device_id=IMEI, zone_minutes=setting)
    if zone is not None:
        read(0x01, login(zone), session)
    at = NOW - timedelta(hours=12)
    fix = read(0x12, place(at), session).messages[0].content
    assert fix.fix_time == at + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("clock", "code"),
    [
        (bytes(6), "invalid_timestamp"),
        (bytes([26, 13, 40, 25, 61, 61]), "invalid_timestamp"),
        (bytes([38, 1, 19, 3, 14, 8]), "timestamp_in_future"),
        (bytes([80, 1, 6, 0, 0, 0]), "timestamp_in_future"),
        (bytes([0, 1, 1, 0, 0, 0]), "timestamp_too_old"),
    ],
)
def test_a_wrong_clock_refuses_the_fix(clock, code):
    assert read(0x12, clock + place()[6:]).messages[0].content.code == code


def test_a_clock_of_the_period_of_gps_weeks_before_is_put_right():
    fix = read(0x12, place(NOW - timedelta(weeks=1024))).messages[0].content
    assert isinstance(fix, Fix)
    assert fix.fix_time == NOW


# --- Damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (BY_NAME["status"].data[:-3] + b"\x00\r\n", "wrong_checksum"),
        (BY_NAME["status"].data[:-2], "wrong_length"),
        (frame_of(0x01, bytes.fromhex("0ABC093086403655")), "no_identifier"),
        (frame_of(0x01, b"\x03\x52"), "no_identifier"),
    ],
)
def test_a_frame_that_cannot_be_right_is_bad(frame, code):
    with pytest.raises(BadFrame) as raised:
        PROTOCOL.decode(frame, TrackerSession(device_id=IMEI), NOW)
    assert raised.value.code == code


def test_nothing_counts_before_the_login():
    with pytest.raises(BadFrame) as raised:
        PROTOCOL.decode(BY_NAME["position"].data, TrackerSession(), NOW)
    assert raised.value.code == "not_logged_in"


def test_an_unknown_type_is_a_sign_of_life_without_an_answer():
    found = read(0x77, b"\x01\x02")
    assert (found.kind, found.reply, found.messages[0].content) == ("other", b"", None)


def test_a_frame_may_hold_the_bytes_of_its_end_and_of_a_start():
    frame = frame_of(0x15, bytes([12]) + b"\x00\x00\x00\x2a" + b"x\r\nxx\x05ab")
    found = PROTOCOL.cut(b"noise" + frame + frame, TrackerSession())
    assert (found.frames, found.skipped) == ([frame, frame], 5)


def test_a_length_that_lies_costs_one_frame():
    good = BY_NAME["position"].data
    for lie in (0x00, 0x10, 0x22, 0x40):
        found = PROTOCOL.cut(good[:2] + bytes([lie]) + good[3:] + good + good, TrackerSession())
        assert found.frames[-2:] == [good, good]


def test_a_flood_of_starts_costs_no_frame_that_follows_an_end():
    good = BY_NAME["position"].data
    found = PROTOCOL.cut(b"xx\x06" * 20_000 + b"\r\n" + good, TrackerSession())
    assert (found.frames, found.skipped) == ([good], 60_002)


# --- Answers and commands ---------------------------------------------------------------------------------------------


def answer(text: bytes, flag: int = 4711, *, count: int | None = None) -> Decoded:
    stated = 4 + len(text) if count is None else count
    return read(0x15, bytes([stated]) + flag.to_bytes(4, "big") + text + b"\x00\x02")


@pytest.mark.parametrize(
    ("text", "is_success"),
    [
        ("Cut off the fuel supply: Success!", True),
        ("DYD=Success!", True),
        ("Already in the state of fuel supply cut off, the command is not running!", True),
        ("DYD=Unvalued Fix", False),
        ("RELAY:Fail! speed limit", False),
        ("Invalid command", False),
        ("Battery:4.15V,NORMAL; GPRS:Link Up;", None),
    ],
)
def test_words_of_an_answer_say_whether_it_was_done(text, is_success):
    assert answer(text.encode()).answer == CommandAnswer(text, token="4711", is_success=is_success)


def test_an_answer_filled_up_with_zeros_is_its_text():
    assert answer(b"DYD=Unvalued Fix" + bytes(60), count=0).answer.text == "DYD=Unvalued Fix"


def test_a_long_answer_may_be_of_wide_letters():
    content = (4711).to_bytes(4, "big") + b"\x02" + "Motor bloqueado: ação OK".encode("utf-16-be")
    assert read(0x21, content, is_long=True).answer == CommandAnswer(
        "Motor bloqueado: ação OK", "4711", is_success=True
    )
    ascii_content = (4711).to_bytes(4, "big") + b"\x01" + b"RESET OK"
    assert read(0x21, ascii_content, is_long=True).answer.text == "RESET OK"


def encode(type_name: str, session: TrackerSession | None = None, *, number: int = 42, **parameters: object):
    command = OutgoingCommand(type_name, parameters, number=number, now=NOW)
    return PROTOCOL.encode(command, session or TrackerSession(device_id=IMEI))


def test_a_command_bears_the_number_of_the_attempt_as_server_flag():
    found = encode("engine_stop")
    assert found.data == bytes.fromhex("787812800c0000002a52656c61792c3123000179650d0a")
    assert (found.text, found.token) == ("Relay,1#", "42")


@pytest.mark.parametrize("number", [1, 2**32 - 1, 2**32, 2**32 + 5, 2**63])
def test_the_server_flag_is_never_zero_and_its_answer_has_the_same_token(number):
    found = encode("status_request", number=number)
    flag = int.from_bytes(found.data[5:9], "big")
    assert flag != 0
    assert answer(b"Battery", flag).answer.token == found.token


@pytest.mark.parametrize(
    ("type_name", "parameters", "expected"),
    [
        ("position_request", {}, "WHERE#"),
        ("position_interval", {"interval_seconds": 30}, "TIMER,30,30#"),
        ("engine_resume", {}, "Relay,0#"),
        ("reboot", {}, "RESET#"),
        ("set_server", {"host": "gps.example.com", "port": 5023}, "SERVER,1,gps.example.com,5023,0#"),
        ("set_server", {"host": "203.0.113.5", "port": 5023}, "SERVER,0,203.0.113.5,5023,0#"),
        ("custom", {"text": "DYD,000000#"}, "DYD,000000#"),
    ],
)
def test_types_are_texts(type_name, parameters, expected):
    assert encode(type_name, **parameters).text == expected


def test_older_models_are_stopped_by_the_words_they_use():
    session = TrackerSession(device_id=IMEI)
    read(0x15, bytes([4 + 12]) + bytes(4) + b"DYD=Success!" + b"\x00\x02", session)
    assert [encode(name, session).text for name in ("engine_stop", "engine_resume")] == ["DYD#", "HFYD#"]


@pytest.mark.parametrize(
    ("type_name", "parameters"),
    [
        ("position_interval", {"interval_seconds": 18_001}),
        ("set_server", {"host": "a,b#", "port": 1}),
        ("custom", {"text": "ação#"}),
        ("custom", {"text": "x" * 201}),
        ("output", {"output": 1, "is_on": True}),
    ],
)
def test_it_refuses_what_no_tracker_would_understand(type_name, parameters):
    with pytest.raises(InvalidCommand):
        encode(type_name, **parameters)
