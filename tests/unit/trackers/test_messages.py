"""Messages of trackers from decoded values: what makes a fix, what an alarm without one, what a sign of life."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.message import DeviceMessage
from tasks_app.ingest.trackers.base import BadFrame, TrackerSession
from tasks_app.ingest.trackers.messages import (
    epoch_seconds,
    fix_message,
    forget_status,
    joined_alarms,
    keep_status,
    required_device_id,
    status_message,
    with_status,
)
from tasks_app.ingest.unlocated_alarms import UnlocatedAlarm
from tasks_app.ingest.validate import InvalidFix, make_fix

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
HERE = {"now": NOW, "device_id": "356307042441013", "timestamp": AT.timestamp(), "latitude": -23.5, "longitude": -46.6}


def test_a_valid_place_is_a_fix():
    message = fix_message(**HERE, speed_kph=83.0, course_degrees=198.0, attributes={"ignition": True})
    assert message.content == Fix("356307042441013", AT, -23.5, -46.6, 83.0, 198.0, attributes={"ignition": True})
    assert message.unlocated is None


@pytest.mark.parametrize("change", [{"is_valid": False}, {"latitude": 0.0, "longitude": 0.0}])
def test_without_a_fix_it_is_a_sign_of_life_with_its_alarms(change):
    assert fix_message(**{**HERE, "attributes": {"sat": 0}, **change}).content is None
    message = fix_message(**{**HERE, "attributes": {"alarm": "sos,powerCut"}, **change})
    assert (message.content, message.unlocated) == (None, UnlocatedAlarm(HERE["device_id"], AT, ("sos", "powerCut")))


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (datetime(1970, 1, 1, 0, 5, tzinfo=UTC), "timestamp_too_old"),
        (datetime(2000, 1, 1, tzinfo=UTC), "timestamp_too_old"),
        (datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC), "timestamp_in_future"),
        (datetime(2080, 1, 6, tzinfo=UTC), "timestamp_in_future"),
    ],
)
def test_a_clock_that_cannot_be_right_refuses_the_fix_but_not_its_alarm(at, code):
    refused = fix_message(**{**HERE, "timestamp": at.timestamp()}, attributes={}).content
    assert isinstance(refused, RejectedFix)
    assert refused.code == code
    message = fix_message(**{**HERE, "timestamp": at.timestamp()}, attributes={"alarm": "sos"})
    assert (message.content, message.unlocated) == (None, UnlocatedAlarm(HERE["device_id"], NOW, ("sos",)))


def test_a_clock_one_period_of_gps_weeks_behind_is_put_right():
    behind = AT - timedelta(weeks=1024)
    fix = fix_message(**{**HERE, "timestamp": behind.timestamp()}, attributes={}).content
    assert (fix.fix_time, fix.attributes) == (AT, {"gpsWeekRollover": 1024})


@pytest.mark.parametrize(
    ("clock", "zone_minutes", "expected"),
    [
        ((2026, 11, 23, 10, 0, 0), 0, AT.timestamp()),
        ((2026, 11, 23, 18, 0, 0), 480, AT.timestamp()),
        ((2026, 11, 23, 7, 0, 0), -180, AT.timestamp()),
        ((2026, 13, 1, 0, 0, 0), 0, "2026-13-01T00:00:00Z"),
        ((2000, 0, 0, 0, 0, 0), 480, "2000-00-00T00:00:00Z"),
        ((2155, 255, 255, 255, 255, 255), 0, "2155-255-255T255:255:255Z"),
    ],
)
def test_the_time_of_a_trackers_clock(clock, zone_minutes, expected):
    assert epoch_seconds(*clock, zone_minutes=zone_minutes) == expected


def test_a_date_that_does_not_exist_refuses_the_fix():
    refused = fix_message(**{**HERE, "timestamp": epoch_seconds(2026, 2, 30, 0, 0, 0)}, attributes={}).content
    assert refused.code == "invalid_timestamp"


def test_a_status_is_a_sign_of_life_and_its_alarm_counts():
    assert status_message(now=NOW, device_id="7").unlocated is None
    message = status_message(now=NOW, device_id="7", attributes={"alarm": "lowBattery"})
    assert (message.content, message.unlocated) == (None, UnlocatedAlarm("7", NOW, ("lowBattery",)))


def test_alarms_are_joined_each_once():
    assert joined_alarms(["sos", "", "powerCut", "sos"]) == {"alarm": "sos,powerCut"}
    assert joined_alarms(["", ""]) == {}


def test_a_fix_carries_the_newest_status_of_its_connection():
    session = TrackerSession()
    assert with_status(session, {"sat": 9}, NOW) == {"sat": 9}
    keep_status(session, {"blocked": True, "alarm": "sos", "ignition": False}, NOW - timedelta(minutes=3))
    assert with_status(session, {"ignition": True}, NOW) == {"blocked": True, "ignition": True}
    assert with_status(session, {"ignition": True}, NOW + timedelta(minutes=4)) == {"ignition": True}


@pytest.mark.parametrize("write", [datetime.timestamp, datetime.isoformat])
def test_a_fix_that_the_tracker_kept_is_not_of_the_newest_status(write):
    session = TrackerSession()
    keep_status(session, {"blocked": True}, NOW - timedelta(minutes=3))
    for age, is_of_now in (
        (timedelta(minutes=1), True),
        (timedelta(minutes=-1), True),
        (timedelta(hours=3), False),
        # The GPS week began anew.
        (timedelta(weeks=1024), True),
        (timedelta(weeks=1024, hours=3), False),
        (timedelta(days=-2), False),
    ):
        assert with_status(session, {"sat": 9}, NOW, write(NOW - age)) == ({"blocked": True} if is_of_now else {}) | {
            "sat": 9
        }
    assert with_status(session, {}, NOW, "no time") == {}


def test_each_attribute_of_a_status_has_its_own_age():
    session = TrackerSession()
    keep_status(session, {"blocked": True, "rssi": 4}, NOW - timedelta(minutes=5))
    keep_status(session, {"power": 12.6, "rssi": 3}, NOW - timedelta(minutes=1))
    assert with_status(session, {}, NOW) == {"blocked": True, "power": 12.6, "rssi": 3}
    assert with_status(session, {}, NOW + timedelta(minutes=4)) == {"power": 12.6, "rssi": 3}


def test_an_attribute_that_a_command_changes_is_forgotten():
    session = TrackerSession()
    forget_status(session, "blocked")
    keep_status(session, {"blocked": True, "rssi": 4}, NOW)
    forget_status(session, "blocked")
    assert with_status(session, {}, NOW) == {"rssi": 4}


def test_a_frame_of_a_tracker_without_a_name_is_bad():
    assert required_device_id(TrackerSession(device_id="7")) == "7"
    assert required_device_id(TrackerSession(device_id="7"), "8") == "8"
    with pytest.raises(BadFrame, match="did not name itself"):
        required_device_id(TrackerSession())


def _near(*values: float) -> st.SearchStrategy[float | None]:
    """These values, numbers around them, and nothing at all."""
    around = [value + step for value in values for step in (-0.5, 0.0, 0.5)]
    return st.none() | st.sampled_from(around) | st.floats(-1e5, 1e5) | st.just(float("nan"))


def _message_by_the_rules(given_values: dict[str, object]) -> DeviceMessage:
    try:
        return DeviceMessage("7", make_fix(is_live=True, **given_values))
    except InvalidFix as error:
        return DeviceMessage("7", RejectedFix(0, error.code, error.detail))


@settings(max_examples=150, deadline=None)
@given(
    age_seconds=st.sampled_from([0.0, -86_399.0, -86_401.0, 4e7, 3.1e7, 6.2e8, 2e9]),
    latitude=st.sampled_from([-23.5, 90.0, -90.0, 90.5, float("nan")]),
    longitude=st.sampled_from([-46.6, 180.0, -180.0, 181.0, float("inf")]),
    speed_kph=_near(0.0, 83.0, 235.926, 1000.0),
    course_degrees=_near(0.0, 198.0, 360.0),
    altitude_meters=_near(760.0, -777.0, -999.0, 6553.5, 12_607.0),
    accuracy_meters=st.none() | st.just(5.0),
    attributes=st.sampled_from([{}, {"ignition": True}, {"batteryLevel": 101}, {"vin": "a\x00"}, {"io1": 2**64}]),
)
def test_the_fast_way_to_a_fix_gives_what_the_rules_give(age_seconds, **values):
    given_values = {"now": NOW, "device_id": "7", "timestamp": NOW.timestamp() - age_seconds, **values}
    assert fix_message(**given_values) == _message_by_the_rules(given_values)
