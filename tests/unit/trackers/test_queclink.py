"""Queclink: reports read by anchors, acknowledgements by count, commands with serial and password."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.trackers.base import (
    BadFrame,
    CommandAnswer,
    Decoded,
    InvalidCommand,
    OutgoingCommand,
    TrackerSession,
)
from tasks_app.ingest.trackers.queclink import PROTOCOL
from tests.support.tracker_vectors import VECTORS

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
BY_NAME = {vector.name: vector for vector in VECTORS["queclink"]}
IMEI = "135790246811220"
PLACE = "1,4.3,92,70.0,-46.633300,-23.550500,20261123100000,0724,0005,18d8,6141"
NO_PLACE = ",,,,,,,0724,0005,18d8,6141"


def decoded(name: str) -> Decoded:
    vector = BY_NAME[name]
    return PROTOCOL.decode(vector.data, vector.session(), NOW)


def report(head: str, fields: str, session: TrackerSession | None = None, *, sent: str = "20261123100005") -> Decoded:
    """A report of a GV300 with these fields behind the name of the device."""
    frame = f"{head},060100,{IMEI},,,{fields},{sent},11F0$"
    return PROTOCOL.decode(frame.encode(), session or TrackerSession(), NOW)


def fix_of(found: Decoded) -> Fix:
    content = found.messages[-1].content
    assert isinstance(content, Fix)
    return content


def command(kind: str, session: TrackerSession | None = None, **parameters: Any) -> bytes:
    session = session or TrackerSession(device_id=IMEI)
    return PROTOCOL.encode(OutgoingCommand(kind, parameters, 0x0C19, NOW), session).data


# --- Reports ----------------------------------------------------------------------------------------------------------


def test_a_report_of_a_vehicle():
    fix = fix_of(decoded("vehicle"))
    assert (fix.device_id, fix.fix_time) == (IMEI, datetime(2009, 2, 14, 1, 32, 54, tzinfo=UTC))
    assert (fix.latitude, fix.longitude) == (31.222073, 121.354335)
    assert (fix.speed_kph, fix.course_degrees, fix.altitude_meters) == (4.3, 92.0, 70.0)
    hours_ms = (12345 * 3600 + 12 * 60 + 34) * 1000
    assert fix.attributes.items() >= {"hdop": 1, "odometer": 2_000_000, "hours": hours_ms, "batteryLevel": 80}.items()
    assert (fix.attributes["ignition"], fix.attributes["motion"], fix.attributes["blocked"]) == (True, False, False)


def test_a_vehicle_whose_sensor_says_that_it_moves_says_nothing_of_an_ignition():
    fix = fix_of(decoded("vehicle by sensor"))
    assert (fix.fix_time, fix.latitude) == (datetime(2022, 3, 2, 22, 9, 44, tzinfo=UTC), 35.016525)
    assert (fix.longitude, fix.speed_kph, fix.course_degrees, fix.altitude_meters) == (-80.709946, 10.4, 140.0, 196.9)
    assert fix.attributes["motion"] is True
    assert "ignition" not in fix.attributes


def test_a_report_of_an_asset_ends_with_its_battery():
    fix = fix_of(decoded("asset"))
    assert (fix.latitude, fix.longitude, fix.attributes) == (31.164633, 121.391063, {"hdop": 16, "batteryLevel": 85})


def test_a_stored_report_with_satellites_power_and_the_first_output_on():
    attributes = fix_of(decoded("with satellites")).attributes
    assert attributes.items() >= {"archive": True, "sat": 12, "power": 12.894, "odometer": 358_600}.items()
    assert (attributes["batteryLevel"], attributes["out1"], attributes["blocked"]) == (100, True, True)


def test_a_report_of_several_points_has_a_fix_for_each_and_the_status_at_the_newest():
    older = PLACE.replace("100000", "095930").replace("23.550500", "23.550400")
    found = report("+RESP:GTFRI", f"00,2,{older},00,{PLACE},00,2000.0,,,,80,220100,,,")
    fixes = [message.content for message in found.messages]
    assert [fix.fix_time.minute for fix in fixes if isinstance(fix, Fix)] == [59, 0]
    assert ["ignition" in fix.attributes for fix in fixes if isinstance(fix, Fix)] == [False, True]
    stored = report("+BUFF:GTFRI", f"00,2,{older},00,{PLACE},00,2000.0,,,,80,220100,,,")
    assert [message.content.attributes["archive"] for message in stored.messages] == [True, True]


@pytest.mark.parametrize(
    ("head", "fields", "alarm"),
    [
        ("GTSOS", "00,1,", "sos"),
        ("GTSPD", "00,1,", "overspeed"),
        ("GTTOW", "00,1,", "tow"),
        ("GTMPF", "", "powerCut"),
        ("GTMPN", "", "powerRestored"),
        ("GTBPL", "3.53,", "lowBattery"),
        ("GTIDN", "00,1,", "idle"),
        ("GTJDR", "", "jamming"),
        ("GTHBM", "10,1,", "hardBraking"),
        ("GTHBM", "01,1,", "hardAcceleration"),
        ("GTHBM", "A2,1,", "hardCornering"),
        ("GTGEO", "00,1,", "geofenceExit"),
        ("GTGEO", "11,1,", "geofenceEnter"),
        ("GTRTL", "00,1,", None),
    ],
)
def test_alarms_are_known_by_the_head_of_the_report(head, fields, alarm):
    found = report(f"+RESP:{head}", f"{fields}{PLACE},00,2000.0")
    assert (fix_of(found).attributes.get("alarm"), found.kind) == (alarm, "alarm" if alarm else "position")


def test_the_alarm_vector():
    fix = fix_of(decoded("alarm"))
    assert (fix.latitude, fix.longitude) == (22.537372, 114.015465)
    assert (fix.fix_time, fix.attributes["alarm"]) == (datetime(2021, 7, 14, 11, 52, 24, tzinfo=UTC), "sos")


@pytest.mark.parametrize("place", [NO_PLACE, PLACE.replace("1,4.3", "0,4.3")], ids=["none", "an older one"])
def test_an_alarm_without_a_place_counts_at_the_time_it_was_sent(place):
    found = report("+RESP:GTSOS", f"00,1,{place},00,2000.0")
    (message,) = found.messages
    assert message.content is None
    assert message.unlocated is not None
    assert (message.unlocated.alarms, message.unlocated.sent_at) == (("sos",), NOW.replace(second=5))


def test_a_report_of_now_without_a_place_says_the_state_of_the_relay():
    tail = "00,2000.0,,,,80,210101"
    no_place = PLACE.replace("1,4.3", "0,4.3")
    assert report("+RESP:GTFRI", f"00,1,{no_place},{tail},,,").is_relay_cut is True
    assert report("+BUFF:GTFRI", f"00,1,{no_place},{tail},,,").is_relay_cut is None
    assert report("+RESP:GTFRI", f"00,1,{PLACE},{tail},,,").is_relay_cut is None


def test_the_send_time_is_that_of_the_zone_which_the_tracker_was_set_to():
    found = report("+RESP:GTSOS", f"00,1,{NO_PLACE}", TrackerSession(zone_minutes=-180), sent="20261123070005")
    assert found.messages[0].unlocated is not None
    assert found.messages[0].unlocated.sent_at == NOW.replace(second=5)


def test_an_ignition_without_a_place_is_known_at_the_next_one():
    session = TrackerSession()
    report("+RESP:GTIGN", f"120,{NO_PLACE}", session)
    assert fix_of(report("+RESP:GTRTL", f"00,1,{PLACE}", session)).attributes["ignition"] is True
    report("+RESP:GTIGF", f"120,{PLACE}", session)
    assert fix_of(report("+RESP:GTRTL", f"00,1,{PLACE}", session)).attributes["ignition"] is False


def test_the_temperature_of_an_asset_is_no_mileage():
    found = report("+RESP:GTERI", "00000100,0,0,1,1,0.0,0,219.7,8.111111,50.111111,20261123100000,,,,,,97,1,32.4")
    assert fix_of(found).attributes == {"hdop": 1}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("-46.633300", "-46.63x300", "invalid_longitude"),
        ("-23.550500", "-93.550500", "invalid_latitude"),
        ("20261123100000", "20261323100000", "invalid_timestamp"),
        ("20261123100000", "20801123100000", "timestamp_in_future"),
        ("20261123100000", "19800106000000", "timestamp_too_old"),
    ],
)
def test_a_fix_that_cannot_be_right_goes_to_quarantine(old, new, code):
    content = report("+RESP:GTRTL", f"00,1,{PLACE.replace(old, new)}").messages[-1].content
    assert isinstance(content, RejectedFix)
    assert content.code == code


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"+RSP\x01\x02$", "hex_mode"),
        (b"+RESP:GTFRI,060100,13579,,,,11F0$", "missing_device_id"),
        (b"+RESP:GTFRI,060100,135790246811220,,$", "too_short"),
    ],
)
def test_what_is_no_report_is_a_bad_frame(frame, code):
    with pytest.raises(BadFrame) as caught:
        PROTOCOL.decode(frame, TrackerSession(), NOW)
    assert caught.value.code == code


def test_a_report_whose_end_was_lost_costs_not_the_next_one():
    lost, whole = BY_NAME["vehicle"].data[:-20], BY_NAME["alarm"].data
    found = PROTOCOL.cut(lost + whole, TrackerSession())
    assert (found.frames, found.skipped) == ([whole], len(lost))


# --- Acknowledgement --------------------------------------------------------------------------------------------------


def test_a_heartbeat_is_acknowledged_with_version_and_count():
    found = decoded("heartbeat")
    assert (found.kind, found.reply) == ("heartbeat", b"+SACK:GTHBD,1A0102,11F0$")
    without_version = PROTOCOL.decode(b"+ACK:GTHBD,,135790246811220,,20100214093254,11F0$", TrackerSession(), NOW)
    assert without_version.reply == b"+SACK:GTHBD,,11F0$"


def test_reports_are_acknowledged_by_their_count_and_answers_are_not():
    assert (decoded("vehicle").reply, decoded("power on").reply) == (b"+SACK:11F0$", b"+SACK:0121$")
    assert decoded("answer").reply == b""


# --- Commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "parameters", "expected"),
    [
        ("position_request", {}, b"AT+GTRTO=gv300,1,,,,,,0C19$"),
        ("reboot", {}, b"AT+GTRTO=gv300,3,,,,,,0C19$"),
        ("version_request", {}, b"AT+GTRTO=gv300,8,,,,,,0C19$"),
        ("engine_stop", {}, b"AT+GTOUT=gv300,1,,,0,0,0,0,0,0,0,,,,,,,0C19$"),
        ("engine_resume", {}, b"AT+GTOUT=gv300,0,,,0,0,0,0,0,0,0,,,,,,,0C19$"),
        ("output", {"output": 1, "is_on": False}, b"AT+GTOUT=gv300,0,,,0,0,0,0,0,0,0,,,,,,,0C19$"),
        ("custom", {"text": "AT+GTQSS=pass,net,,,,,FFFF$"}, b"AT+GTQSS=pass,net,,,,,FFFF$"),
    ],
)
def test_a_command_has_the_password_and_the_serial_of_its_attempt(kind, parameters, expected):
    assert command(kind, **parameters) == expected


@pytest.mark.parametrize(
    ("version", "password"), [("1A0800", "gl300"), ("5E0100", "gv500"), ("8020040703", "gv58lau"), ("060100", "gv300")]
)
def test_the_password_is_the_name_of_the_model_in_the_version(version, password):
    session = TrackerSession(device_id=IMEI)
    PROTOCOL.decode(f"+ACK:GTHBD,{version},{IMEI},,20100214093254,11F0$".encode(), session, NOW)
    assert command("position_request", session) == f"AT+GTRTO={password},1,,,,,,0C19$".encode()


def test_a_model_without_a_known_password_takes_texts_alone():
    session = TrackerSession(device_id=IMEI)
    PROTOCOL.decode(f"+ACK:GTHBD,990100,{IMEI},,20100214093254,11F0$".encode(), session, NOW)
    with pytest.raises(InvalidCommand, match="password"):
        command("engine_stop", session)
    assert command("custom", session, text="AT+GTRTO=mine,1,,,,,,00FF") == b"AT+GTRTO=mine,1,,,,,,00FF$"


def test_an_output_that_cannot_be_switched_alone_is_refused():
    with pytest.raises(InvalidCommand, match="output 1"):
        command("output", output=2, is_on=True)


def test_an_answer_is_known_by_the_serial_of_its_command():
    sent = PROTOCOL.encode(OutgoingCommand("version_request", {}, 0xFFFF, NOW), TrackerSession(device_id=IMEI))
    assert decoded("answer").answer == CommandAnswer("GTRTO,VER", token=sent.token, name=sent.name, is_success=True)


def test_an_answer_without_anything_to_say_is_the_name_of_the_command():
    found = PROTOCOL.decode(
        f"+ACK:GTOUT,1F0101,{IMEI},gv500,,00A1,20261123100005,0C19$".encode(), TrackerSession(), NOW
    )
    assert found.answer == CommandAnswer("GTOUT", token="00A1", name="GTOUT", is_success=True)


def test_the_serial_in_a_text_is_the_one_its_answer_will_have():
    sent = PROTOCOL.encode(OutgoingCommand("custom", {"text": "AT+GTRTO=gv300,1,,,,,,00AB"}, 7, NOW), TrackerSession())
    assert (sent.token, sent.name, sent.text) == ("00AB", "GTRTO", "AT+GTRTO=gv300,1,,,,,,00AB$")


@pytest.mark.parametrize("start", [b"+RSP\x07", b"+EVT\x1f", b"+BSP\x00", b"+BVT\x01", b"+ACK\x02", b"+INF\x01"])
def test_frames_of_the_other_mode_are_counted_as_that_and_cost_no_text(start):
    text = BY_NAME["heartbeat"].data
    session = TrackerSession()
    found = PROTOCOL.cut(start + bytes(range(60)) + text, session)
    assert (len(found.frames), found.skipped) == (1, 0)
    with pytest.raises(BadFrame) as caught:
        PROTOCOL.decode(found.frames[0], session, NOW)
    assert caught.value.code == "hex_mode"
    rest = PROTOCOL.cut((start + bytes(range(60)) + text)[found.used :], session)
    assert rest.frames == [text]
    assert PROTOCOL.cut(start[:4], session).used == 0
