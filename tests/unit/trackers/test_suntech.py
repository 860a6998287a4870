"""Suntech: reports of all families, their acknowledgement on UDP, and commands with the prefix of the model."""

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
from tasks_app.ingest.trackers.suntech import PROTOCOL
from tests.support.tracker_vectors import VECTORS

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
BY_NAME = {vector.name: vector for vector in VECTORS["suntech"]}
REPORT = "ST300STT;205027329;03;374;20261123;10:00:00;177b38;-23.566052;-046.477588;010.500;202.77;9;1;9971;12.11;100000;1;0312"


def decoded(name: str) -> Decoded:
    vector = BY_NAME[name]
    return PROTOCOL.decode(vector.data, vector.session(), NOW)


def of_text(text: str, session: TrackerSession | None = None) -> Decoded:
    return PROTOCOL.decode(f"{text}\r".encode(), session or TrackerSession(), NOW)


def fix_of(found: Decoded) -> Fix:
    (message,) = found.messages
    assert isinstance(message.content, Fix)
    return message.content


def session_after(name: str) -> TrackerSession:
    """The session of a tracker that was heard by this vector."""
    vector = BY_NAME[name]
    session = vector.session()
    session.device_id = PROTOCOL.decode(vector.data, session, NOW).device_id
    return session


def command(kind: str, session: TrackerSession, **parameters: Any) -> bytes:
    return PROTOCOL.encode(OutgoingCommand(kind, parameters, 7, NOW), session).data


# --- Reports ----------------------------------------------------------------------------------------------------------


def test_a_report_of_sa200_has_no_model():
    fix = fix_of(decoded("SA200"))
    assert (fix.device_id, fix.fix_time) == ("317652", datetime(2012, 7, 18, 15, 37, 12, tzinfo=UTC))
    assert (fix.latitude, fix.longitude, fix.speed_kph) == (-15.618755, -56.083241, 0.024)
    expected = {"sat": 8, "odometer": 41548, "power": 12.17, "ignition": True, "blocked": False, "index": 1979}
    assert fix.attributes.items() >= expected.items()


def test_a_report_without_a_fix_is_a_sign_of_life():
    (message,) = decoded("ST300 without a fix").messages
    assert (message.device_id, message.content, message.unlocated) == ("205027329", None, None)


def test_hours_and_backup_battery_follow_where_the_tracker_sends_them():
    attributes = fix_of(decoded("ST300 with hours")).attributes
    assert (attributes["hours"], attributes["battery"], attributes["archive"]) == (3634 * 60_000, 4.1, True)
    assert "archive" not in fix_of(decoded("ST600")).attributes


@pytest.mark.parametrize(
    ("name", "latitude", "longitude"),
    [
        ("ST600", 19.337897, -99.064489),
        ("ST500 datagram", 19.338432, -99.179817),
        ("ST410", -15.57186, -56.062637),
        ("universal status", 20.741764, -103.430364),
        ("binary alert", 4.681633, -74.049663),
        ("serial data with line ends", 20.514492, -100.743221),
    ],
)
def test_the_place_is_found_in_every_layout(name, latitude, longitude):
    fix = fix_of(decoded(name))
    assert (fix.latitude, fix.longitude) == (latitude, longitude)


def test_serial_data_are_an_attribute_with_their_semicolons():
    assert fix_of(decoded("serial data with line ends")).attributes["serial"] == (
        "t_0=1C;N_0=0419.0;t_1=22;N_1=0001.0;Q_D=09"
    )


@pytest.mark.parametrize(
    ("kind", "number", "alarm"),
    [
        ("EMG", 1, "sos"),
        ("EMG", 3, "powerCut"),
        ("EMG", 8, "vibration"),
        ("ALT", 1, "overspeed"),
        ("ALT", 5, "geofenceExit"),
        ("ALT", 6, "geofenceEnter"),
        ("ALT", 14, "lowBattery"),
        ("ALT", 41, "powerCut"),
        ("ALT", 50, "jamming"),
        ("ALT", 132, "door"),
        ("ALT", 33, None),
        ("EVT", 1, None),
    ],
)
def test_emergencies_and_alerts_are_alarms_by_their_numbers(kind, number, alarm):
    found = of_text(REPORT.replace("STT", kind).removesuffix("1;0312") + str(number))
    assert (fix_of(found).attributes.get("alarm"), found.kind) == (alarm, "alarm" if alarm else "position")
    assert (fix_of(found).attributes.get("event") == number) is (alarm is None)


def test_the_first_output_is_the_relay_of_the_engine():
    assert fix_of(decoded("event")).attributes["blocked"] is True
    assert fix_of(decoded("universal status")).attributes["blocked"] is True
    assert fix_of(decoded("universal alert")).attributes["blocked"] is False


@pytest.mark.parametrize(
    ("fix", "inputs", "tail", "is_relay_cut"),
    [
        ("0", "100010", "1;0312", True),
        ("0", "100000", "1;0312", False),
        ("0", "100010", "1;0312;003634;4.1;0", None),
        ("1", "100010", "1;0312", None),
        ("0", "1", "1;0312", None),
    ],
    ids=["cut", "not cut", "stored", "with a fix", "no outputs"],
)
def test_a_report_of_now_without_a_fix_says_the_state_of_the_relay(fix, inputs, tail, is_relay_cut):
    text = REPORT.replace(";9;1;9971", f";9;{fix};9971").replace("100000;1;0312", f"{inputs};{tail}")
    assert of_text(text).is_relay_cut is is_relay_cut


def test_an_alarm_without_a_fix_counts():
    found = decoded("alert without a fix")
    (message,) = found.messages
    assert message.content is None
    assert message.unlocated is not None
    assert message.unlocated.alarms == ("powerCut",)
    assert message.unlocated.sent_at == datetime(2012, 8, 29, 14, 25, 58, tzinfo=UTC)
    assert found.kind == "alarm"


def test_a_universal_alert_says_by_its_mask_what_it_has():
    fix = fix_of(decoded("universal alert"))
    assert (fix.device_id, fix.latitude, fix.longitude) == ("0950030205", 25.791061, -100.170745)
    assert fix.attributes.items() >= {"alarm": "sos", "archive": True, "ignition": True, "in2": True, "sat": 18}.items()


def test_a_universal_report_without_all_fields_keeps_their_order():
    found = of_text("STT;0560001616;019830;20261123;10:00:00;+20.741764;-103.430364;19;1")
    fix = fix_of(found)
    assert (fix.latitude, fix.attributes) == (20.741764, {"sat": 19})


@pytest.mark.parametrize("lie", [3, 20, 90, 250])
def test_a_binary_report_whose_length_lies_costs_no_report_behind_it(lie):
    good = BY_NAME["binary alert"].data
    for size in (1, 16, 1000):
        stream, session, frames = good[:2] + bytes([lie]) + good[3:] + good + good, TrackerSession(), []
        buffer = b""
        for at in range(0, len(stream), size):
            buffer += stream[at : at + size]
            while (found := PROTOCOL.cut(buffer, session)).used:
                buffer = buffer[found.used :]
                frames += found.frames
        assert frames[-2:] == [good, good]
        assert buffer == b""


def test_a_binary_alert_reads_like_the_text():
    fix = fix_of(decoded("binary alert"))
    assert (fix.device_id, fix.fix_time) == ("0580000055", datetime(2020, 2, 4, 16, 41, 57, tzinfo=UTC))
    assert fix.attributes["driverUniqueId"] == "1d00000113f3f801"


def test_the_same_emergency_sent_again_has_the_same_time():
    first, again = decoded("emergency"), decoded("emergency")
    assert fix_of(first).fix_time == fix_of(again).fix_time
    assert first == again


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("20261123", "20261323", "invalid_timestamp"),
        ("10:00:00", "10:0x:00", "invalid_timestamp"),
        ("20261123", "20701123", "timestamp_in_future"),
        ("20261123", "19800106", "timestamp_too_old"),
        ("-23.566052", "-93.566052", "invalid_latitude"),
        ("-23.566052", "-2\u06633.5660", "invalid_latitude"),
        ("-046.477588", "nan", "invalid_longitude"),
    ],
)
def test_a_fix_that_cannot_be_right_goes_to_quarantine(old, new, code):
    (message,) = of_text(REPORT.replace(old, new)).messages
    assert isinstance(message.content, RejectedFix)
    assert message.content.code == code


def test_a_clock_of_before_the_gps_week_rolled_over_is_put_right():
    fix = fix_of(of_text(REPORT.replace("20261123", "20070409")))
    assert (fix.fix_time, fix.attributes["gpsWeekRollover"]) == (datetime(2026, 11, 23, 10, tzinfo=UTC), 1024)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ST300STT;abc;03;374;20261123", "missing_device_id"),
        ("hello", "unknown_type"),
    ],
)
def test_what_is_no_report_is_a_bad_frame(text, code):
    with pytest.raises(BadFrame) as caught:
        of_text(text)
    assert caught.value.code == code


@pytest.mark.parametrize("text", [REPORT, "ALT;0950030205;001838;1;20261123;10:00:00;+25.791061;-100.170745"])
@pytest.mark.parametrize("before", ["xxxx", REPORT[:60], "STT;0950030205;001838;1;2026"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_report_whose_end_was_lost_costs_not_the_next_one(before, text, transport):
    session = TrackerSession(transport=transport)
    found = PROTOCOL.cut(f"{before}{text}\r{text}\r".encode(), session)
    assert found.frames == [text.encode()] * 2
    assert found.skipped == len(before)


@pytest.mark.parametrize(
    ("text", "is_fix"),
    [
        ("STT;0950030205;001838;1;20261123;10:00:00;+25.791061;-100.170745", True),
        ("STT;0950030205;009838;1;20261123;10:00:00;+25.791061;-100.170745;7", True),
        ("STT;0950030205;009838;1;20261123;10:00:00;+25.791061;-100.170745;0", False),
        ("STT;0950030205;011838;1;20261123;10:00:00;+25.791061;-100.170745;0", False),
        ("STT;0950030205;000038;1;20261123;10:00:00", False),
        ("STT;0950030205;001838;1;20261123;10:00:00;;", False),
    ],
)
def test_a_mask_without_the_fix_leaves_the_place_to_say_it(text, is_fix):
    (message,) = of_text(text).messages
    assert isinstance(message.content, Fix) is is_fix
    assert is_fix or message.content is None


def test_a_length_of_serial_data_that_lies_swallows_no_report():
    lying = BY_NAME["serial data with line ends"].data.replace(b";44;", b";400;")
    found = PROTOCOL.cut(lying + BY_NAME["ST600"].data * 4, TrackerSession())
    assert found.frames[-4:] == [BY_NAME["ST600"].data.rstrip()] * 4
    with pytest.raises(BadFrame) as caught:
        PROTOCOL.decode(found.frames[0], TrackerSession(transport="udp"), NOW)
    assert caught.value.code == "wrong_checksum"


# --- Acknowledgement --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "acknowledgement"),
    [
        ("ST600", b"ST600ACK;008594432"),
        ("emergency", b"SA200ACK;317652"),
        ("universal alert", b"ACK;0950030205"),
        ("binary alert", b"ACK;0580000055"),
        ("alive", b""),
        ("answer", b""),
    ],
)
def test_reports_are_acknowledged_on_udp_alone_with_the_prefix_of_the_model(name, acknowledgement):
    data = BY_NAME[name].data
    assert PROTOCOL.decode(data, TrackerSession(transport="udp"), NOW).reply == acknowledgement
    assert PROTOCOL.decode(data, TrackerSession(), NOW).reply == b""


# --- Commands ---------------------------------------------------------------------------------------------------------


def test_commands_bear_the_prefix_that_the_tracker_uses():
    assert command("engine_stop", session_after("ST600")) == b"ST600CMD;008594432;02;Enable1\r"
    assert command("engine_resume", session_after("SA200")) == b"SA200CMD;317652;02;Disable1\r"
    assert command("engine_stop", session_after("universal alert")) == b"CMD;0950030205;04;01\r"
    assert command("engine_stop", session_after("binary alert")) == b"CMD;0580000055;04;01\r"
    assert command("engine_stop", TrackerSession(device_id="511848119")) == b"ST300CMD;511848119;02;Enable1\r"


@pytest.mark.parametrize(
    ("kind", "parameters", "classic", "universal"),
    [
        ("position_request", {}, b"02;StatusReq", b"03;01"),
        ("reboot", {}, b"02;Reboot", b"03;03"),
        ("engine_resume", {}, b"02;Disable1", b"04;02"),
        ("output", {"output": 2, "is_on": True}, b"02;Enable2", b"04;03"),
        ("output", {"output": 2, "is_on": False}, b"02;Disable2", b"04;04"),
        ("acknowledge_emergency", {}, b"02;AckEmerg", None),
        ("parameters_request", {}, b"02;Preset", None),
        ("output", {"output": 3, "is_on": True}, None, b"04;09"),
        ("output", {"output": 4, "is_on": True}, None, None),
    ],
)
def test_each_command_is_written_for_both_families_or_refused(kind, parameters, classic, universal):
    for name, expected in (("ST600", classic), ("universal alert", universal)):
        session = session_after(name)
        if expected is None:
            with pytest.raises(InvalidCommand):
                command(kind, session, **parameters)
        else:
            assert command(kind, session, **parameters).rstrip(b"\r").endswith(b";" + expected)


def test_an_answer_is_known_by_the_name_of_its_command():
    session = session_after("ST600")
    sent = PROTOCOL.encode(OutgoingCommand("engine_resume", {}, 7, NOW), session)
    found = decoded("answer")
    assert (found.kind, found.device_id) == ("answer", "511848119")
    assert found.answer == CommandAnswer("319H;Disable1", name=sent.name, is_success=True)
    sent = PROTOCOL.encode(OutgoingCommand("engine_stop", {}, 7, NOW), session_after("universal alert"))
    assert decoded("universal answer").answer == CommandAnswer("04;01", name=sent.name, is_success=True)


def test_a_text_is_sent_as_it_is_and_its_name_is_expected():
    sent = PROTOCOL.encode(
        OutgoingCommand("custom", {"text": "ST300CMD;511848119;02;ReqVer"}, 7, NOW), session_after("ST600")
    )
    assert (sent.data, sent.name) == (b"ST300CMD;511848119;02;ReqVer\r", "ReqVer")
