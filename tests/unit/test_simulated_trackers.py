"""Simulated trackers say what the documents of their protocols say; what they mean is what the gateway's decoders read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tasks_app.ingest.fix import Fix
from tasks_app.ingest.trackers.base import OutgoingCommand, TrackerSession
from tasks_app.ingest.trackers.registry import PROTOCOLS
from trackerproject.dev.simulated_trackers import ENCODERS, Report
from trackerproject.dev.simulated_trackers.base import Acknowledgement, HeardCommand

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
REPORT = Report(
    NOW - timedelta(minutes=1),
    -23.566052,
    -46.477588,
    speed_kph=42.0,
    course_degrees=123.0,
    altitude_meters=760.0,
    odometer_meters=41_500,
)


def encoder_of(protocol: str):
    encoder = ENCODERS[protocol](ENCODERS[protocol].sample_identifier, "tcp")
    encoder.begin()
    return encoder


def test_a_gt06_logs_in_with_the_bytes_of_its_document():
    encoder = encoder_of("gt06")
    encoder._serial = 8
    assert encoder.login().data.hex().upper() == "78780D01086471700328358100093F040D0A"
    (heard,) = encoder.hear(bytes.fromhex("78780501000955940D0A"))
    assert heard == Acknowledgement(encoder.login().key.replace("10", "9"))


def test_a_gt06_answers_a_command_with_the_server_flag_it_came_with():
    encoder = encoder_of("gt06")
    (heard,) = encoder.hear(bytes.fromhex("787812800c0000002a52656c61792c3123000179650d0a"))
    assert isinstance(heard, HeardCommand)
    assert (heard.text, heard.cuts_relay, heard.answer[5:9]) == ("Relay,1#", True, bytes.fromhex("0000002a"))


def test_a_teltonika_understands_acknowledgements_and_commands_in_any_pieces():
    encoder = encoder_of("teltonika")
    command = bytes.fromhex("000000000000000F0C010500000007676574696E666F0100004312")
    heard = [one for byte in b"\x01\x00\x00\x00\x01" + command for one in encoder.hear(bytes([byte]))]
    assert heard[:2] == [Acknowledgement("login"), Acknowledgement("records 1")]
    assert heard[2].text == "getinfo"


def test_a_teltonika_that_is_refused_hears_so():
    assert encoder_of("teltonika").hear(b"\x00") == [Acknowledgement("login", is_refusal=True)]


def test_a_queclink_sends_the_heartbeat_of_its_document():
    parts = encoder_of("queclink").heartbeat().data.decode().rstrip("$").split(",")
    assert parts[0] == "+ACK:GTHBD"
    assert len(parts) == 1 + "+ACK:GTHBD,1A0102,135790246811220,,20100214093254,11F0".count(",")


def test_an_h02_writes_degrees_and_minutes_and_knots():
    text = encoder_of("h02").pack([REPORT]).data.decode()
    assert text.startswith("*HQ,4210051415,V1,115900,A,2333.9631,S,04628.6553,W,022.68,123,301126,FFFFFFFF,")


def test_a_jt808_takes_back_the_code_of_its_registration():
    encoder = encoder_of("jt808")
    registration = encoder.login()
    (heard,) = encoder.hear(jt808_answer(0x8100, "00020026043230", bytes.fromhex("000100") + b"secret"))
    assert heard.key == registration.key
    assert b"secret" in heard.then.data


def jt808_answer(kind: int, _phone: str, body: bytes) -> bytes:
    frame = kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + bytes.fromhex("002002604323") + b"\0\0" + body
    check = 0
    for byte in frame:
        check ^= byte
    return b"\x7e" + frame + bytes([check]) + b"\x7e"


def test_a_suntech_answers_with_the_name_of_the_command():
    (heard,) = encoder_of("suntech").hear(b"ST300CMD;511848119;02;Enable1\r")
    assert (heard.answer, heard.cuts_relay) == (b"ST300CMD;Res;511848119;319;Enable1\r", True)


def test_a_coban_hears_its_log_in_and_heartbeats_acknowledged():
    assert encoder_of("coban").hear(b"LOADON") == [Acknowledgement("LOAD"), Acknowledgement("ON")]


def conversation(protocol: str, packets: list[bytes]):
    """Return what the product's decoder makes of these, on a connection that is logged in."""
    product = PROTOCOLS[protocol]
    session = TrackerSession("tcp")
    decoded, left = [], b""
    for data in packets:
        cut = product.cut(left + data, session)
        left = (left + data)[cut.used :]
        # The mark that ends a frame of JT/T 808 may be the start of the next one.
        assert (left.removeprefix(b"\x7e"), cut.skipped) == (b"", 0)
        for frame in cut.frames:
            one = product.decode(frame, session, NOW)
            session.device_id = session.device_id or one.device_id
            decoded.append(one)
    return decoded


@pytest.mark.parametrize("protocol", sorted(ENCODERS.keys() & PROTOCOLS.keys()))
def test_the_gateway_reads_of_a_report_what_was_measured(protocol: str):
    encoder = encoder_of(protocol)
    login = encoder.login()
    decoded = conversation(protocol, [*([login.data] if login else []), encoder.pack([REPORT]).data])
    (fix,) = [one.content for of_frame in decoded for one in of_frame.messages if isinstance(one.content, Fix)]
    assert (fix.device_id, fix.fix_time) == (encoder.identifier, REPORT.at)
    assert fix.latitude == pytest.approx(REPORT.latitude, abs=2e-6)
    assert fix.longitude == pytest.approx(REPORT.longitude, abs=2e-6)
    assert fix.speed_kph == pytest.approx(REPORT.speed_kph, abs=0.01)
    assert fix.course_degrees == pytest.approx(REPORT.course_degrees, abs=0.01)
    assert fix.attributes["ignition"] is True


@pytest.mark.parametrize("protocol", sorted(ENCODERS.keys() & PROTOCOLS.keys()))
def test_trackers_understand_their_acknowledgements(protocol: str):
    encoder = encoder_of(protocol)
    session = TrackerSession("tcp")
    for packet in filter(None, [encoder.login(), encoder.pack([REPORT]), encoder.heartbeat()]):
        if not packet.key:
            continue
        (frame,) = PROTOCOLS[protocol].cut(packet.data, session).frames
        one = PROTOCOLS[protocol].decode(frame, session, NOW)
        session.device_id = session.device_id or one.device_id
        assert packet.key in [heard.key for heard in encoder.hear(one.reply)], packet


@pytest.mark.parametrize("protocol", sorted(ENCODERS.keys() & PROTOCOLS.keys()))
def test_trackers_carry_out_the_stop_of_the_engine_and_their_answer_is_the_commands(protocol: str):
    encoder = encoder_of(protocol)
    login = encoder.login()
    session = TrackerSession("tcp")
    product = PROTOCOLS[protocol]
    for packet in filter(None, [login, encoder.pack([REPORT])]):
        (frame,) = product.cut(packet.data, session).frames
        one = product.decode(frame, session, NOW)
        session.device_id = session.device_id or one.device_id
        encoder.hear(one.reply)
    encoded = product.encode(OutgoingCommand("engine_stop", {}, 7, NOW), session)
    (heard,) = [one for one in encoder.hear(encoded.data) if isinstance(one, HeardCommand)]
    assert heard.cuts_relay is True
    frames = product.cut(heard.answer, session).frames
    answers = [one.answer for one in (product.decode(frame, session, NOW) for frame in frames) if one.answer]
    assert [(one.token, one.name) for one in answers] == [(encoded.token, encoded.name)]
