"""Coban: two clocks, keywords, what has to be answered, and commands of one letter."""

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
from tasks_app.ingest.trackers.coban import PROTOCOL
from tests.support.tracker_vectors import VECTORS

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
BY_NAME = {vector.name: vector for vector in VECTORS["coban"]}
IMEI = "359586015829802"
PLACE = "A,2332.9999,S,04637.9999,W,10.00,90.5"


def of_text(text: str, session: TrackerSession | None = None, now: datetime = NOW) -> Decoded:
    return PROTOCOL.decode(text.encode(), session or TrackerSession(), now)


def decoded(name: str) -> Decoded:
    (frame,) = PROTOCOL.cut(BY_NAME[name].data, BY_NAME[name].session()).frames
    return PROTOCOL.decode(frame, TrackerSession(), NOW)


def report(
    keyword: str = "tracker",
    *,
    local: str = "261123065959",
    utc: str = "095958.000",
    place: str = PLACE,
    end: str = "",
    session: TrackerSession | None = None,
) -> Decoded:
    """A report of a tracker whose clock was set in São Paulo."""
    return of_text(f"imei:{IMEI},{keyword},{local},,F,{utc},{place},{end};", session)


def fix_of(found: Decoded) -> Fix:
    (message,) = found.messages
    assert isinstance(message.content, Fix)
    return message.content


def command(kind: str, **parameters: Any) -> str:
    session = TrackerSession(device_id="123456789012345")
    return PROTOCOL.encode(OutgoingCommand(kind, parameters, 7, NOW), session).data.decode()


# --- Answers to the tracker -------------------------------------------------------------------------------------------


def test_a_login_a_heartbeat_and_a_call_for_help_are_answered_and_nothing_else_is():
    assert decoded("login") == Decoded("login", IMEI, reply=b"LOAD")
    assert (decoded("heartbeat").device_id, decoded("heartbeat").reply) == (IMEI, b"ON")
    assert decoded("emergency").reply == f"**,imei:{IMEI},E;".encode()
    assert decoded("emergency without a fix").reply == b"**,imei:359710049075097,E;"
    others = set(BY_NAME) - {"login", "heartbeat", "emergency", "emergency without a fix"}
    assert {decoded(name).reply for name in others} == {b""}


def test_a_heartbeat_without_an_end_before_a_message_is_a_frame_of_its_own():
    found = PROTOCOL.cut(f"{IMEI}".encode() + BY_NAME["position"].data, TrackerSession())
    assert (found.frames[0], len(found.frames), found.skipped) == (IMEI.encode(), 2, 0)


# --- Positions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fix_time", "latitude", "longitude"),
    [
        ("position", datetime(2015, 10, 30, 0, 1, 1), 54.723057, 25.215118),
        ("position after midnight", datetime(2015, 10, 26, 23, 59, 57), 24.491927, 44.409713),
        ("fuel and temperature", datetime(2008, 9, 24, 5, 54, 3), 22.553117, 113.905112),
        ("hemispheres first", datetime(2015, 4, 20, 5, 6, 0), 53.110693, 7.012975),
        ("old stamp", datetime(2013, 5, 25, 6, 22, 9), 6.434018, 101.823173),
        ("datagram without its end", datetime(2013, 1, 25, 8, 2, 51), 32.393053, -110.982415),
    ],
)
def test_time_and_place(name, fix_time, latitude, longitude):
    fix = fix_of(decoded(name))
    assert fix.fix_time == fix_time.replace(tzinfo=UTC)
    assert (fix.latitude, fix.longitude) == (pytest.approx(latitude, abs=1e-6), pytest.approx(longitude, abs=1e-6))


@pytest.mark.parametrize(
    ("local", "utc", "zone_minutes", "fix_time"),
    [
        # São Paulo, before and after midnight of either clock.
        ("261122235959", "025900.000", None, datetime(2026, 11, 23, 2, 59, 0)),
        ("261123065959", "095958.000", None, datetime(2026, 11, 23, 9, 59, 58)),
        # Nepal has 5 hours 45 minutes.
        ("261123053000", "234500.000", None, datetime(2026, 11, 22, 23, 45, 0)),
        # The clock is set to UTC.
        ("261123095958", "095958.000", None, datetime(2026, 11, 23, 9, 59, 58)),
        # Kiribati is 14 hours ahead, which two clocks alone do not show.
        ("261123235900", "095900.000", 840, datetime(2026, 11, 23, 9, 59, 0)),
    ],
)
def test_the_date_is_that_of_the_own_clock_moved_to_utc(local, utc, zone_minutes, fix_time):
    session = TrackerSession(zone_minutes=zone_minutes)
    assert fix_of(report(local=local, utc=utc, session=session)).fix_time == fix_time.replace(tzinfo=UTC)


def test_speeds_are_knots():
    fix = fix_of(report())
    assert (round(fix.speed_kph or 0, 2), fix.course_degrees) == (18.52, 90.5)


def test_what_is_measured_beside_the_place():
    fix = fix_of(decoded("fuel and temperature"))
    expected = {"ignition": True, "door": False, "fuel1": 10.5, "fuel2": 0.0, "temp1": 28.0}
    assert (fix.attributes, fix.altitude_meters) == (expected, 65.43)


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ("tracker", {}),
        ("001", {}),
        ("help me", {"alarm": "sos"}),
        ("low battery", {"alarm": "lowBattery"}),
        ("move", {"alarm": "movement"}),
        ("speed", {"alarm": "overspeed"}),
        ("stockade", {"alarm": "geofence"}),
        ("ac alarm", {"alarm": "powerCut"}),
        ("sensor alarm", {"alarm": "vibration"}),
        ("T:+28.0", {"alarm": "temperature", "temp1": 28.0}),
        ("oil 51.67", {"alarm": "fuelLeak", "fuelLevel": 51.67}),
        ("acc on", {"ignition": True}),
        ("acc off", {"ignition": False}),
        ("vt14", {"event": "vt14"}),
    ],
)
def test_the_keyword_says_what_happened(keyword, expected):
    found = report(keyword)
    assert fix_of(found).attributes == expected
    assert found.kind == ("alarm" if "alarm" in expected else "position")


def test_the_key_of_a_driver():
    text = f"imei:{IMEI},rfid,261123065959,49121185,F,095958.000,{PLACE};"
    assert fix_of(of_text(text)).attributes == {"driverUniqueId": "49121185"}


def test_an_ignition_is_known_at_the_next_position():
    session = TrackerSession()
    of_text(f"imei:{IMEI},acc on,261123065959,,L,;", session)
    assert fix_of(report(session=session)).attributes == {"ignition": True}
    report("acc off", session=session)
    assert fix_of(report(session=session)).attributes == {"ignition": False}


def test_a_diagnosis_is_known_at_the_next_position():
    session = TrackerSession()
    of_text(f"imei:{IMEI},OBD,261123065959,195874,,370.8,808,066,30.0%,+87,13.0%,02444,14.3,P0137,,,;", session)
    expected = {"obdSpeed": 66, "coolantTemp": 87, "rpm": 2444, "power": 14.3, "dtcs": "P0137"}
    assert fix_of(report(session=session)).attributes == expected


@pytest.mark.parametrize(
    ("session", "sent_at"),
    [
        (TrackerSession(), NOW),
        (TrackerSession(zone_minutes=-180), datetime(2026, 11, 23, 9, 59, tzinfo=UTC)),
    ],
    ids=["zone unknown", "zone known"],
)
def test_an_alarm_without_a_fix_counts_at_the_time_that_is_known(session, sent_at):
    (message,) = of_text(f"imei:{IMEI},sensor alarm,2611230659,,L,;", session).messages
    assert message.content is None
    assert message.unlocated is not None
    assert (message.unlocated.alarms, message.unlocated.sent_at) == (("vibration",), sent_at)


def test_the_zone_that_a_fix_showed_is_that_of_a_later_alarm():
    session = TrackerSession()
    report(session=session)
    unlocated = of_text(f"imei:{IMEI},help me,2611230700,,L,;", session).messages[0].unlocated
    assert unlocated is not None
    assert unlocated.sent_at == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def test_a_position_without_a_fix_is_a_sign_of_life():
    (message,) = report(place=PLACE.replace("A,", "V,", 1)).messages
    assert (message.content, message.unlocated) == (None, None)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"local": "261323065959"}, "invalid_timestamp"),
        ({"utc": "295958.000", "local": "x"}, "invalid_timestamp"),
        ({"local": "801123065959"}, "timestamp_in_future"),
        ({"place": PLACE.replace("2332", "9932")}, "invalid_latitude"),
        ({"place": PLACE.replace(",S,", ",x,")}, "invalid_latitude"),
    ],
)
def test_a_fix_that_cannot_be_right_goes_to_quarantine(changes, code):
    (message,) = report(**changes).messages
    assert isinstance(message.content, RejectedFix)
    assert message.content.code == code


@pytest.mark.parametrize("text", ["imei:35958601x829802,tracker,,,L", "##,A", "GET / HTTP/1.1", "imei:359586015829802"])
def test_what_is_no_message_is_a_bad_frame(text):
    with pytest.raises(BadFrame):
        of_text(text)


# --- Commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "parameters", "letter"),
    [
        ("position_request", {}, "B"),
        ("position_interval", {"interval_seconds": 30}, "C,30s"),
        ("position_interval", {"interval_seconds": 300}, "C,05m"),
        ("position_interval", {"interval_seconds": 7200}, "C,02h"),
        ("overspeed_alarm", {"speed_kph": 80}, "H,080"),
        ("engine_stop", {}, "J"),
        ("engine_resume", {}, "K"),
        ("arm", {}, "L"),
        ("disarm", {}, "M"),
        ("acknowledge_emergency", {}, "E"),
        ("custom", {"text": "160"}, "160"),
    ],
)
def test_a_command_is_a_letter(kind, parameters, letter):
    assert command(kind, **parameters) == f"**,imei:123456789012345,{letter}"


def test_a_text_may_be_a_whole_command():
    assert command("custom", text="**,imei:123456789012345,G;") == "**,imei:123456789012345,G;"


@pytest.mark.parametrize("seconds", [90, 3601, 6000])
def test_an_interval_that_two_digits_cannot_express_is_refused(seconds):
    if seconds == 6000:
        assert command("position_interval", interval_seconds=5940).endswith("C,99m")
    with pytest.raises(InvalidCommand, match="interval"):
        command("position_interval", interval_seconds=seconds)


def test_the_keyword_of_a_position_confirms_the_command():
    session = TrackerSession(device_id="359710049090138")
    sent = PROTOCOL.encode(OutgoingCommand("engine_stop", {}, 7, NOW), session)
    found = decoded("answer")
    assert found.answer == CommandAnswer("jt", name=sent.name, is_success=True)
    assert fix_of(found).fix_time == datetime(2016, 6, 28, 18, 29, 49, tzinfo=UTC)
