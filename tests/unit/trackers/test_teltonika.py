"""Teltonika: the vendor's examples, records by every codec, texts, and the commands it takes."""

from __future__ import annotations

import time
from datetime import UTC, datetime
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
from tasks_app.ingest.trackers.checksums import crc16_arc
from tasks_app.ingest.trackers.teltonika import PROTOCOL
from tasks_app.ingest.trackers.teltonika_elements import element_attributes
from tests.support.cluster import allowed
from tests.support.tracker_vectors import VECTORS

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
IMEI = "352093086403655"
BY_NAME = {vector.name: vector for vector in VECTORS["teltonika"]}


def decoded(name: str) -> Decoded:
    vector = BY_NAME[name]
    return PROTOCOL.decode(vector.data, vector.session(), NOW)


def frame_of(content: bytes) -> bytes:
    return pack(">4xI", len(content)) + content + crc16_arc(content).to_bytes(4, "big")


def record(at: datetime, elements: bytes = bytes(6), *, satellites: int = 9, priority: int = 0) -> bytes:
    """One record of codec 8 near São Paulo."""
    gps = pack(">iihHBH", -466_000_000, -235_000_000, 760, 198, satellites, 83)
    return pack(">QB", int(at.timestamp() * 1000), priority) + gps + elements


def of_records(*records: bytes) -> Decoded:
    content = b"\x08" + bytes([len(records)]) + b"".join(records) + bytes([len(records)])
    return PROTOCOL.decode(frame_of(content), TrackerSession(device_id=IMEI), NOW)


# --- Login and records ------------------------------------------------------------------------------------------------


def test_a_login_is_answered_by_one_and_refused_by_zero():
    assert decoded("login") == Decoded("login", IMEI, reply=b"\x01", refusal=b"\x00")


def test_a_keep_alive_is_a_sign_of_life_and_has_no_answer():
    found = decoded("keep-alive")
    assert (found.kind, found.reply, [message.content for message in found.messages]) == ("heartbeat", b"", [None])


def test_a_record_without_a_fix_is_acknowledged_and_makes_no_position():
    found = decoded("codec 8")
    assert (found.reply, [message.content for message in found.messages]) == (b"\x00\x00\x00\x01", [None])


def test_a_record_with_a_fix():
    found = decoded("codec 8 with a fix")
    (message,) = found.messages
    fix = message.content
    assert isinstance(fix, Fix)
    assert (found.kind, found.reply) == ("position", b"\x00\x00\x00\x01")
    assert fix.fix_time == datetime(2019, 1, 4, 12, 27, 19, tzinfo=UTC)
    assert (fix.latitude, fix.longitude) == (48.1523066, 16.3745183)
    assert (fix.altitude_meters, fix.course_degrees, fix.speed_kph) == (190.0, 198.0, 83.0)
    wanted = {"sat": 15, "motion": True, "rssi": 3, "power": 14.233, "battery": 3.976, "odometer": 2_656_224}
    assert wanted.items() <= fix.attributes.items()


def test_elements_of_codec_8_extended_have_ids_of_two_bytes():
    vector = BY_NAME["codec 8 extended"]
    content = bytearray(vector.data[8:-4])
    content[23] = 7  # satellites: with a fix the elements are attributes of a position
    content[11:19] = pack(">ii", -466_000_000, -235_000_000)
    (message,) = PROTOCOL.decode(frame_of(bytes(content)), vector.session(), NOW).messages
    assert message.content.fix_time == datetime(2019, 6, 10, 11, 36, 32, tzinfo=UTC)
    wanted = {"in1": True, "axisX": 29, "odometer": 22_949_000, "io11": 893_700_218, "io14": 500_686_954}
    assert wanted.items() <= message.content.attributes.items()


def test_codec_8_extended_has_texts():
    texts = pack(">H", 2) + pack(">HH", 256, 17) + b"WVWZZZ1JZXW000001" + pack(">HH", 385, 2) + b"\x0a\x0b"
    body = record(datetime(2026, 11, 23, 10, tzinfo=UTC), pack(">HHHHHH", 0, 2, 0, 0, 0, 0) + texts)
    found = PROTOCOL.decode(frame_of(b"\x8e\x01" + body + b"\x01"), TrackerSession(device_id=IMEI), NOW)
    assert found.messages[0].content.attributes == {"vin": "WVWZZZ1JZXW000001", "io385": "0a0b", "sat": 9}


def test_codec_16_has_a_generation_type_and_two_records_are_acknowledged_as_two():
    found = decoded("codec 16")
    assert (found.reply, len(found.messages)) == (b"\x00\x00\x00\x02", 2)


def test_a_datagram_names_its_tracker_and_is_acknowledged_by_its_ids():
    found = decoded("datagram")
    assert (found.device_id, found.reply) == (IMEI, bytes.fromhex("0005CAFE010501"))
    assert [message.device_id for message in found.messages] == [IMEI]


def test_a_packet_of_no_records_is_acknowledged_as_such():
    assert of_records().reply == bytes(4)


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (datetime(1970, 1, 2, tzinfo=UTC), "timestamp_too_old"),
        (datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC), "timestamp_in_future"),
        (datetime(2080, 1, 6, tzinfo=UTC), "timestamp_in_future"),
    ],
)
def test_a_wrong_clock_costs_the_fix_and_not_the_others_of_its_packet(at, code):
    found = of_records(record(at), record(datetime(2026, 11, 23, 10, tzinfo=UTC)))
    assert found.reply == b"\x00\x00\x00\x02"
    assert [getattr(message.content, "code", "fix") for message in found.messages] == [code, "fix"]


def test_a_clock_of_the_period_of_gps_weeks_before_is_put_right():
    (message,) = of_records(record(datetime(2007, 4, 9, 10, tzinfo=UTC))).messages
    assert message.content.fix_time == datetime(2026, 11, 23, 10, tzinfo=UTC)


def test_an_alarm_without_a_fix_counts():
    tow = bytes([246, 1, 1, 246, 1, 0, 0, 0])
    found = of_records(record(datetime(2026, 11, 23, 10, tzinfo=UTC), tow, satellites=0))
    assert found.kind == "alarm"
    assert found.messages[0].content is None
    assert found.messages[0].unlocated.alarms == ("tow",)


def test_a_last_record_without_a_fix_says_the_state_of_the_relay():
    at = datetime(2026, 11, 23, 10, tzinfo=UTC)
    cut, uncut = (bytes([0, 1, 1, 179, value, 0, 0, 0]) for value in (1, 0))
    assert of_records(record(at, uncut), record(at, cut, satellites=0)).is_relay_cut is True
    assert of_records(record(at, cut), record(at, uncut, satellites=0)).is_relay_cut is False
    assert of_records(record(at, cut, satellites=0), record(at, cut)).is_relay_cut is None
    assert of_records(record(at, satellites=0)).is_relay_cut is None


# --- Elements ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elements", "event", "priority", "expected"),
    [
        ({239: 1, 240: 0}, 0, 0, {"ignition": True, "motion": False}),
        ({239: 0}, 239, 1, {"event": 239, "ignition": False}),
        ({179: 1}, 0, 0, {"out1": True, "blocked": True}),
        ({179: 0, 180: 1}, 0, 0, {"out1": False, "out2": True, "blocked": False}),
        ({113: 87, 182: 9, 9: 1250}, 0, 0, {"batteryLevel": 87, "hdop": 0.9, "adc1": 1.25}),
        ({72: 0xFFFFFFCE, 73: 3000, 17: 0xFC18}, 0, 0, {"temp1": -5.0, "axisX": -1000}),
        ({78: 0xF1000019E4A1C201}, 0, 0, {"driverUniqueId": "01C2A1E4190000F1"}),
        ({78: 0}, 0, 0, {}),
        ({252: 1, 246: 0}, 252, 1, {"event": 252, "alarm": "powerCut"}),
        ({253: 2, 254: 35}, 253, 1, {"event": 253, "io254": 35, "alarm": "hardBraking"}),
        ({253: 9}, 253, 1, {"event": 253}),
        ({246: 1, 249: 1}, 246, 2, {"event": 246, "alarm": "tow,jamming"}),
        ({1: 1}, 1, 2, {"event": 1, "in1": True, "alarm": "sos"}),
        ({}, 0, 2, {"alarm": "general"}),
        ({24: 83}, 0, 0, {}),
        ({10_800: 5}, 0, 0, {"io10800": 5}),
    ],
)
def test_elements_are_attributes(elements, event, priority, expected):
    assert element_attributes(elements, {}, event=event, priority=priority) == expected


# --- Damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (BY_NAME["codec 8"].data[:-1] + b"\x00", "wrong_checksum"),
        (BY_NAME["codec 8"].data[:-1], "wrong_length"),
        (frame_of(b"\x0c\x01\x06\xff\xff\xff\xffhello\x01"), "wrong_length"),
        (frame_of(b"\x0c\x01\x07\x00\x00\x00\x05hello\x01"), "unknown_type"),
    ],
)
def test_a_frame_that_cannot_be_right_is_bad(frame, code):
    with pytest.raises(BadFrame) as raised:
        PROTOCOL.decode(frame, TrackerSession(device_id=IMEI), NOW)
    assert raised.value.code == code


def test_records_before_the_login_are_bad():
    with pytest.raises(BadFrame) as raised:
        PROTOCOL.decode(BY_NAME["codec 8"].data, TrackerSession(), NOW)
    assert raised.value.code == "not_logged_in"


def test_garbage_before_a_frame_is_skipped_and_counted():
    found = PROTOCOL.cut(b"GET / HTTP/1.1\r\n\r\n" + BY_NAME["codec 8"].data, TrackerSession())
    assert (found.frames, found.skipped) == ([BY_NAME["codec 8"].data], 18)


def test_a_flood_of_keep_alives_is_garbage():
    good = BY_NAME["codec 8"].data
    found = PROTOCOL.cut(b"\xff" * 1000 + good, TrackerSession())
    assert (found.frames, found.skipped) == ([b"\xff"] * 16 + [good], 984)


# --- Texts and commands -----------------------------------------------------------------------------------------------


def test_an_answer_is_its_text():
    found = decoded("answer by codec 12")
    assert found.answer == CommandAnswer("DI1:1 DI2:0 DI3:0 AIN1:0 AIN2:16924 DO1:0 DO2:1")
    assert found.reply == b""


def test_a_text_for_another_imei_was_refused():
    assert decoded("refusal by codec 14").answer.is_success is False


@pytest.mark.parametrize(
    ("text", "is_success"),
    [
        ("DOUT1:ON Timeout:INFINITY DOUT2:IGNORED", True),
        ("DOUT1:OFF Timeout:INFINITY", True),
        ("DOUT1:ON Timeout:INFINITY Speed threshold:20km/h Speed is above threshold, queued", None),
        ("DOUT1 ERROR", False),
        ("Bad syntax", False),
        ("DOUT are disabled from CFG", False),
        ("New value 10050:30;10055:30;", True),
        ("Ver:03.27.07_00 GPS:AXN_5.10 Hw:FMB120", None),
    ],
)
def test_words_of_an_answer_say_whether_it_was_done(text, is_success):
    content = b"\x0c\x01\x06" + pack(">I", len(text)) + text.encode() + b"\x01"
    found = PROTOCOL.decode(frame_of(content), TrackerSession(device_id=IMEI), NOW)
    assert found.answer == CommandAnswer(text, is_success=is_success)


def test_the_answer_to_getgps_is_a_fix_too():
    text = "GPS:1 Sat:7 Lat:-23.55000 Long:-46.63000 Alt:760 Speed:12 Dir:77 Date: 2026/11/23 Time: 9:59:58"
    content = b"\x0c\x01\x06" + pack(">I", len(text)) + text.encode() + b"\x01"
    (message,) = PROTOCOL.decode(frame_of(content), TrackerSession(device_id=IMEI), NOW).messages
    at = datetime(2026, 11, 23, 9, 59, 58, tzinfo=UTC)
    assert message.content == Fix(IMEI, at, -23.55, -46.63, 12.0, 77.0, 760.0, attributes={"sat": 7})


def test_a_text_sent_by_itself_ends_no_command():
    text = b"level low"
    content = b"\x0d\x01\x06" + pack(">II", len(text) + 4, int(NOW.timestamp())) + text + b"\x01"
    found = PROTOCOL.decode(frame_of(content), TrackerSession(device_id=IMEI), NOW)
    assert found.answer is None
    assert found.messages[0].unlocated.result == "level low"


def encoded(type_name: str, session: TrackerSession | None = None, **parameters: object) -> str:
    command = OutgoingCommand(type_name, parameters, number=7, now=NOW)
    return PROTOCOL.encode(command, session or TrackerSession(device_id=IMEI)).text


def test_a_command_is_a_frame_of_codec_12():
    command = OutgoingCommand("custom", {"text": "getinfo"}, number=7, now=NOW)
    found = PROTOCOL.encode(command, TrackerSession(device_id=IMEI))
    assert found.data == bytes.fromhex("000000000000000F0C010500000007676574696E666F0100004312")
    assert (found.text, found.token, found.name) == ("getinfo", "", "")


@pytest.mark.parametrize(
    ("type_name", "parameters", "expected"),
    [
        ("position_request", {}, "getgps"),
        ("engine_stop", {}, "setdigout 1? ? ? 20 ?"),
        ("engine_resume", {}, "setdigout 0?"),
        ("output", {"output": 2, "is_on": True}, "setdigout ?1"),
        ("output", {"output": 3, "is_on": False}, "setdigout ??0"),
        ("reboot", {}, "cpureset"),
        ("set_server", {"host": "gps.example.com", "port": 5027}, "setparam 2004:gps.example.com;2005:5027"),
        (
            "position_interval",
            {"interval_seconds": 30},
            "setparam 10050:30;10055:30;10150:30;10155:30;10250:30;10255:30",
        ),
    ],
)
def test_types_are_texts(type_name, parameters, expected):
    assert encoded(type_name, **parameters) == expected


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ((179,), "setdigout 1 ? 20"),
        ((179, 180), "setdigout 1? ? ? 20 ?"),
        ((179, 180, 380), "setdigout 1?? ? ? ? 20 ? ?"),
    ],
)
def test_an_engine_is_stopped_by_as_many_outputs_as_the_tracker_has_shown(ids, expected):
    session = TrackerSession(device_id=IMEI)
    elements = pack(">HHH", 0, len(ids), len(ids)) + b"".join(pack(">HB", one, 0) for one in ids) + bytes(8)
    frame = frame_of(b"\x8e\x01" + record(datetime(2026, 11, 23, 10, tzinfo=UTC), elements) + b"\x01")
    PROTOCOL.decode(frame, session, NOW)
    assert encoded("engine_stop", session) == expected


@pytest.mark.parametrize(
    ("type_name", "parameters"),
    [
        ("output", {"output": 5, "is_on": True}),
        ("custom", {"text": "setparam 2004:é"}),
        ("custom", {"text": "x" * 161}),
    ],
)
def test_it_refuses_what_no_tracker_would_understand(type_name, parameters):
    with pytest.raises(InvalidCommand):
        encoded(type_name, **parameters)


def test_commands_go_over_tcp_only():
    with pytest.raises(InvalidCommand):
        encoded("reboot", TrackerSession(transport="udp", device_id=IMEI))


def test_a_text_in_which_a_position_is_looked_for_takes_no_time():
    """One of 500 signs held up every tracker of the gateway for a quarter of a minute."""
    words = " ".join(word for name in ("Sat", "Lat", "Long", "Alt", "Speed", "Dir") for word in [f"{name}:1"] * 10)
    text = f"GPS:1 {words} {'Date:1/1/1 ' * 10}".encode()
    frame = frame_of(b"\x0c\x01\x06" + pack(">I", len(text)) + text + b"\x01")
    began = time.perf_counter()
    found = PROTOCOL.decode(frame, TrackerSession(device_id=IMEI), NOW)
    assert time.perf_counter() - began < allowed(1)
    assert [message.content for message in found.messages] == [None]
