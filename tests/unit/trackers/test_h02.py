"""H02: text and binary frames, bits of the status, confirmations by name and time of day."""

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
from tasks_app.ingest.trackers.h02 import PROTOCOL
from tests.support.tracker_vectors import VECTORS

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
BY_NAME = {vector.name: vector for vector in VECTORS["h02"]}
REPORT = "*HQ,4210051415,V1,095959,A,2332.9999,S,04637.9999,W,010.00,090,231126,FFFFFFFF#"


def decoded(name: str, now: datetime = NOW) -> Decoded:
    vector = BY_NAME[name]
    session = vector.session()
    (frame,) = PROTOCOL.cut(vector.data, session).frames
    return PROTOCOL.decode(frame, session, now)


def of_text(text: str, session: TrackerSession | None = None) -> Decoded:
    return PROTOCOL.decode(text.encode(), session or TrackerSession(), NOW)


def fix_of(found: Decoded) -> Fix:
    (message,) = found.messages
    assert isinstance(message.content, Fix)
    return message.content


def rounded(fix: Fix) -> tuple[float, float]:
    return round(fix.latitude, 6), round(fix.longitude, 6)


def command(kind: str, session: TrackerSession | None = None, **parameters: Any) -> bytes:
    session = session or TrackerSession(device_id="4210051415")
    return PROTOCOL.encode(OutgoingCommand(kind, parameters, 7, NOW), session).data


# --- Positions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "device_id", "fix_time", "latitude", "longitude"),
    [
        ("position", "4210051415", datetime(2015, 12, 22, 16, 45, 49), 9.939782, -84.11178),
        ("binary of 45 bytes", "4106000826", datetime(2015, 8, 31, 21, 53, 21), 4.698983, -74.069717),
        ("binary of 32 bytes", "4106011660", datetime(2016, 11, 13, 12, 45, 43), 50.58855, 4.53035),
        ("binary with a long identifier", "352483084193293", datetime(2017, 8, 18, 10, 47, 59), 26.455598, 74.687157),
        ("answer", "2020916012", datetime(2002, 9, 22, 5, 3, 16), 22.214575, 113.777623),
        ("dashes", "1451316409", datetime(2015, 3, 7, 3, 1, 49), -23.483492, -46.859753),
        ("with a SIM card", "4209951296", datetime(2017, 4, 20, 21, 44, 52), 52.016963, 18.508382),
        ("with a battery", "4210209006", datetime(2018, 9, 8, 5, 40, 48), 28.470495, 77.557220),
    ],
)
def test_time_and_place(name, device_id, fix_time, latitude, longitude):
    at = fix_time.replace(tzinfo=UTC)
    fix = fix_of(decoded(name, now=at))
    assert (fix.device_id, fix.fix_time) == (device_id, at)
    assert rounded(fix) == (pytest.approx(latitude, abs=2e-6), pytest.approx(longitude, abs=2e-6))


def test_speeds_are_knots():
    fix = fix_of(decoded("answer", now=datetime(2002, 9, 22, 6, tzinfo=UTC)))
    assert (round(fix.speed_kph or 0, 2), fix.course_degrees) == (26.45, 28.0)


@pytest.mark.parametrize("validity", ["V", "B", ""])
def test_a_position_without_a_fix_is_a_sign_of_life(validity):
    (message,) = of_text(REPORT.replace(",A,", f",{validity},")).messages
    assert (message.content, message.unlocated) == (None, None)


def test_a_number_of_a_coding_stands_for_a_valid_fix():
    assert fix_of(of_text(REPORT.replace(",A,", ",0,"))).latitude < -23.5


def test_degrees_may_be_missing():
    found = of_text(REPORT.replace("2332.9999,S", "2332.9999,S").replace("04637.9999,W", "38.6508,W"))
    assert round(fix_of(found).longitude, 6) == -0.64418


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("FFFFFFFF", {"ignition": True, "blocked": False}),
        ("FFFFFBFF", {"ignition": False, "blocked": False}),
        ("F7FFFFFF", {"ignition": True, "blocked": True}),
        ("FFFFFFFE", {"alarm": "vibration"}),
        ("FFFFFFFD", {"alarm": "sos"}),
        ("FFFBFFFF", {"alarm": "sos"}),
        ("FFFFFFFB", {"alarm": "overspeed"}),
        ("FFF7FFFF", {"alarm": "powerCut"}),
        ("FFF7FFFD", {"alarm": "sos,powerCut"}),
    ],
)
def test_bits_of_the_status_are_active_where_they_are_zero_but_that_of_the_ignition(status, expected):
    found = of_text(REPORT.replace("FFFFFFFF", status))
    assert fix_of(found).attributes.items() >= expected.items()
    assert ("alarm" in fix_of(found).attributes) is ("alarm" in expected) is (found.kind == "alarm")


def test_a_frame_without_a_place_says_the_state_of_the_relay():
    cut = REPORT.replace("FFFFFFFF", "F7FFFFFF")
    assert of_text(cut).is_relay_cut is None
    assert of_text(cut.replace(",A,", ",V,")).is_relay_cut is True
    assert of_text(REPORT.replace(",A,", ",V,")).is_relay_cut is False
    assert decoded("link").is_relay_cut is False
    assert decoded("heartbeat").is_relay_cut is None


def test_a_binary_frame_has_an_alarm_and_a_battery():
    attributes = fix_of(decoded("binary of 45 bytes")).attributes
    assert (attributes["alarm"], attributes["batteryLevel"], attributes["ignition"]) == ("sos", 100, False)


def test_an_alarm_without_a_fix_counts():
    (message,) = decoded("alarm without a fix").messages
    assert message.content is None
    assert message.unlocated is not None
    assert (message.unlocated.alarms, message.unlocated.sent_at.year) == (("powerCut",), 2013)


def test_battery_and_signal_of_a_link_are_known_at_the_next_fix():
    session = TrackerSession()
    assert of_text("*HQ,4210051415,LINK,095958,15,7,84,0,0,231126,FFFFFBFF#", session).kind == "other"
    attributes = fix_of(of_text(REPORT, session)).attributes
    assert attributes.items() >= {"rssi": 15, "sat": 7, "batteryLevel": 84, "ignition": True}.items()


def test_a_text_without_an_identifier_belongs_to_the_connection():
    nameless = REPORT.replace("4210051415", "")
    assert fix_of(of_text(nameless, TrackerSession(device_id="4210051415"))).device_id == "4210051415"
    with pytest.raises(BadFrame) as caught:
        of_text(nameless)
    assert caught.value.code == "not_logged_in"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("231126", "331126", "invalid_timestamp"),
        ("095959", "09x959", "invalid_timestamp"),
        ("231126", "231180", "timestamp_in_future"),
        ("231126", "010170", "timestamp_in_future"),
        ("2332.9999", "9932.9999", "invalid_latitude"),
        ("2332.9999", "2362.9999", "invalid_latitude"),
    ],
)
def test_a_fix_that_cannot_be_right_goes_to_quarantine(old, new, code):
    (message,) = of_text(REPORT.replace(old, new)).messages
    assert isinstance(message.content, RejectedFix)
    assert message.content.code == code


def test_a_text_without_maker_number_or_type_is_a_bad_frame():
    for text in ("*H,4210051415,V1#", "*HQ,421005x415,V1#", "*HQ#"):
        with pytest.raises(BadFrame):
            of_text(text)


# --- Frames -----------------------------------------------------------------------------------------------------------


def test_bytes_that_a_model_adds_to_binary_frames_are_no_garbage():
    session = TrackerSession()
    streams = [
        BY_NAME[name].data for name in ("binary of 45 bytes", "binary with a long identifier", "binary of 32 bytes")
    ]
    found = PROTOCOL.cut(b"\r\n".join(streams * 2) + REPORT.encode(), session)
    assert [len(frame) for frame in found.frames] == [32] * 6 + [len(REPORT)]
    assert (found.skipped, found.used) == (0, len(b"\r\n".join(streams * 2)) + len(REPORT))


def test_a_text_whose_end_was_lost_costs_not_the_next_one():
    found = PROTOCOL.cut(REPORT[:40].encode() + REPORT.encode(), TrackerSession())
    assert (found.frames, found.skipped) == ([REPORT.encode()], 40)


# --- Answers and commands ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("position", b"*HQ,4210051415,V4,V1,20261123100030#"),
        ("cells", b"*HQ,1600068812,V4,NBR,20261123100030#"),
        ("heartbeat", b"*HQ,4210051415,HTBT#"),
        ("link", b""),
        ("answer", b""),
        ("binary of 32 bytes", b""),
    ],
)
def test_positions_cells_and_heartbeats_are_acknowledged(name, reply):
    assert decoded(name).reply == reply


def test_a_confirmation_is_known_by_name_and_time_of_day():
    at = datetime(2026, 11, 23, 13, 3, 5, tzinfo=UTC)
    sent = PROTOCOL.encode(OutgoingCommand("engine_stop", {}, 7, at), TrackerSession(device_id="2020916012"))
    assert decoded("answer").answer == CommandAnswer("S20,DONE", token=sent.token, name=sent.name, is_success=True)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("S20,ERROR,130305,050316,A", CommandAnswer("S20,ERROR", "S20,130305", "S20", is_success=False)),
        ("S1,OK,pass_word,130305,050316,A", CommandAnswer("S1,OK,pass_word", "S1,130305", "S1", is_success=True)),
        ("S14,100,10,1,3,130305,050316,A", CommandAnswer("S14,100,10,1,3", "S14,130305", "S14")),
        ("S17,130305,050316,A", CommandAnswer("S17", "S17,130305", "S17")),
    ],
)
def test_confirmations_say_what_became_of_the_command(said, answer):
    place = "2212.8745,N,11346.6574,E,14.28,028,220902,FFFFFBFF"
    assert of_text(f"*TH,2020916012,V4,{said},{place}#").answer == answer
    assert of_text(f"*TH,2020916012,V4,{said.removesuffix(',050316,A')}#").answer == answer


def test_a_message_for_a_telephone_is_an_answer_by_order():
    found = of_text("*HQ,4210051415,SMS,Fuel cut ok#")
    assert found.answer == CommandAnswer("Fuel cut ok")


@pytest.mark.parametrize(
    ("kind", "parameters", "expected"),
    [
        ("engine_stop", {}, b"*HQ,4210051415,S20,100030,1,1#"),
        ("engine_resume", {}, b"*HQ,4210051415,S20,100030,1,0#"),
        ("position_interval", {"interval_seconds": 30}, b"*HQ,4210051415,S71,100030,22,30#"),
        ("reboot", {}, b"*HQ,4210051415,R1,100030#"),
        ("arm", {}, b"*HQ,4210051415,SCF,100030,0,0#"),
        ("disarm", {}, b"*HQ,4210051415,SCF,100030,1,1#"),
        ("custom", {"text": "S17,60"}, b"*HQ,4210051415,S17,100030,60#"),
        ("custom", {"text": "S17,60#"}, b"*HQ,4210051415,S17,100030,60#"),
        ("custom", {"text": "*HQ,4210051415,S17,120000,60"}, b"*HQ,4210051415,S17,120000,60#"),
    ],
)
def test_a_command_has_its_time_of_day(kind, parameters, expected):
    assert command(kind, **parameters) == expected


@pytest.mark.parametrize("text", ["#", "S17#60", "S17,6#0", "S17,60#*HQ,1,R1,1#"])
def test_a_text_of_which_no_frame_can_be_made_is_refused(text):
    with pytest.raises(InvalidCommand):
        command("custom", text=text)


def test_commands_have_the_letters_of_the_maker_that_the_tracker_uses():
    session = TrackerSession(device_id="2020916012")
    of_text(BY_NAME["answer"].data.decode(), session)
    assert command("reboot", session) == b"*TH,2020916012,R1,100030#"


def test_two_commands_of_a_kind_a_second_apart_have_tokens_of_their_own():
    session = TrackerSession(device_id="4210051415")
    tokens = {
        PROTOCOL.encode(OutgoingCommand("engine_resume", {}, 7, NOW.replace(second=second)), session).token
        for second in (30, 31)
    }
    assert tokens == {"S20,100030", "S20,100031"}
