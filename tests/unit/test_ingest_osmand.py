"""The OsmAnd protocol: every rule of the three generations of Traccar Client, and nothing but BodyError out of garbage."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix
from tasks_app.ingest.osmand import form_parameters, parse_json, parse_parameters

# --- Query (up to 8.x) and form (from 10.x) ---------------------------------------------------------------------------
from tests.support.osmand import AT, NOW, QUERY, fix_of, is_sound, read, refusal_of


def test_it_reads_what_traccar_client_8_sends():
    query = (
        "id=48241179&timestamp=1795428000&lat=-23.55&lon=-46.63&speed=21.6&bearing=270.0&altitude=760.0&accuracy=8.0"
        "&batt=87.0&charge=true"
    )
    fix = fix_of(query)
    assert (fix.device_id, fix.fix_time) == ("48241179", datetime.fromtimestamp(1795428000, UTC))
    assert (fix.latitude, fix.longitude, fix.course_degrees) == (-23.55, -46.63, 270.0)
    assert fix.speed_kph == pytest.approx(40.0032)
    assert (fix.altitude_meters, fix.accuracy_meters) == (760.0, 8.0)
    assert fix.attributes == {"batteryLevel": 87.0, "charge": True}


def test_it_reads_what_traccar_client_10_sends():
    body = b"id=48241179&lat=-23.55&lon=-46.63&timestamp=1795428000&accuracy=8.5&speed=1.50&batt=87&alarm=sos"
    fix = parse_parameters(form_parameters(body), now=NOW).content
    assert isinstance(fix, Fix)
    assert fix.speed_kph == pytest.approx(2.778)
    assert fix.attributes == {"batteryLevel": 87.0, "alarm": "sos"}
    assert (fix.course_degrees, fix.altitude_meters) == (None, None)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1795428000", datetime.fromtimestamp(1795428000, UTC)),
        ("1795428000123", datetime.fromtimestamp(1795428000.123, UTC)),
        ("2026-11-23T10:00:00Z", AT),
        ("2026-11-23T07:00:00-03:00", AT),
        ("2026-11-23T11:00:00%2B01:00", AT),
        ("2026-11-23T11:00:00+01:00", AT),  # the plus sign not encoded: it arrives as a space
        ("2026-11-23T10:00:00.500Z", AT + timedelta(seconds=0.5)),
        ("2026-11-23 10:00:00", AT),
        ("", NOW),
    ],
)
def test_it_understands_every_form_of_time(text, meant):
    assert fix_of(f"{QUERY}&timestamp={text}").fix_time == meant


def test_a_time_without_a_zone_is_the_servers():
    for text in (
        "2026-11-23 07:00:00",
        "2026-11-23T07:00:00",
        "2026-11-23t07:00:00.000",
        "20261123T070000",
        "2026-11-23 07:00",
    ):
        assert fix_of(f"{QUERY}&timestamp={text}", zone=ZoneInfo("America/Sao_Paulo")).fix_time == AT


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("123.5", "invalid_timestamp"),
        ("0", "timestamp_too_old"),
        ("-5", "timestamp_too_old"),
        ("2147483648", "timestamp_in_future"),
        ("1795428", "timestamp_too_old"),
        ("1795428000123456", "invalid_timestamp"),
        ("9" * 5000, "invalid_timestamp"),
        ("9999-12-31T23:59:59Z", "timestamp_in_future"),
        ("1970-01-01T00:00:00Z", "timestamp_too_old"),
        ("2026-11-25T10:00:00Z", "timestamp_in_future"),
        ("0001-01-01T00:00:00+23:59", "invalid_timestamp"),
        ("yesterday", "invalid_timestamp"),
        ("NaN", "invalid_timestamp"),
        ("%D9%A1%D9%A7", "invalid_timestamp"),
    ],
)
def test_it_refuses_times_that_cannot_be_right(text, code):
    assert refusal_of(read(f"{QUERY}&timestamp={text}")) == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("lat=91", "invalid_latitude"),
        ("lon=181", "invalid_longitude"),
        ("lat=0&lon=0", "no_fix"),
        ("lat=NaN", "invalid_latitude"),
        ("lat=Infinity", "invalid_latitude"),
        ("lat=1e999", "invalid_latitude"),
        ("lat=48,5", "invalid_latitude"),
        ("lat=true", "invalid_latitude"),
        ("lat=1_0", "invalid_latitude"),
        ("lat=%00", "invalid_latitude"),
        ("lat=", "missing_latitude"),
        ("lon=", "missing_longitude"),
        ("location=48.1", "missing_longitude"),
        ("location=,", None),
    ],
)
def test_it_refuses_values_that_cannot_be_right(change, code):
    message = read(f"{QUERY}&{change}")
    assert (refusal_of(message) if code else message.content) == code


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        ("valid=true", "valid", None),
        ("valid=TRUE", "valid", None),
        ("valid=1", "valid", None),
        ("valid=false", "valid", False),
        ("valid=0", "valid", False),
        ("hdop=1.5", "hdop", 1.5),
        ("batt=55.5", "batteryLevel", 55.5),
        ("batt=-1", "batteryLevel", None),
        ("charge=false", "charge", False),
        ("driverUniqueId=007", "driverUniqueId", "007"),
        ("rpm=1500", "rpm", 1500.0),
        ("ignition=true", "ignition", True),
        ("mock=False", "mock", False),
        ("event=motion", "event", "motion"),
        ("odometer=1e5", "odometer", 100_000.0),
        ("fuel=NaN", "fuel", None),
        ("empty=", "empty", None),
        ("notificationToken=secret", "notificationToken", None),
    ],
)
def test_everything_else_becomes_an_attribute(change, name, value):
    assert fix_of(f"{QUERY}&{change}").attributes.get(name) == value


def test_the_network_is_kept_and_a_broken_entry_costs_nothing_else():
    query = f"{QUERY}&cell=724,5,100,200,-70&cell=724,5,100,201&cell=x&wifi=00-11-22-33-44-55,-60&wifi=nonsense,1"
    towers = [
        {
            "mobileCountryCode": 724,
            "mobileNetworkCode": 5,
            "locationAreaCode": 100,
            "cellId": 200,
            "signalStrength": -70,
        },
        {"mobileCountryCode": 724, "mobileNetworkCode": 5, "locationAreaCode": 100, "cellId": 201},
    ]
    points = [{"macAddress": "00:11:22:33:44:55", "signalStrength": -60}]
    assert fix_of(query).attributes == {"network": {"cellTowers": towers, "wifiAccessPoints": points}}


def test_other_spellings_mean_the_same():
    fix = fix_of("deviceid=7&location=-23.55,-46.63&heading=90")
    assert (fix.device_id, fix.latitude, fix.longitude, fix.course_degrees) == ("7", -23.55, -46.63, 90.0)


def test_of_a_parameter_that_comes_twice_the_last_counts():
    assert fix_of(f"{QUERY}&lat=1").latitude == 1.0


@pytest.mark.parametrize(("unit", "kph"), [("knots", 18.52), ("kmh", 10.0), ("mps", 36.0), ("mph", 16.09344)])
def test_speed_is_read_in_the_unit_the_installation_says(unit, kph):
    assert fix_of(f"{QUERY}&speed=10", speed_unit=unit).speed_kph == pytest.approx(kph)


@pytest.mark.parametrize("query", ["id=7", "id=7&timestamp=1795428000&batt=80", "id=7&notificationToken=secret"])
def test_a_message_without_a_place_is_a_sign_of_life(query):
    message = read(query)
    assert (message.device_id, message.content, message.is_from_device) == ("7", None, True)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("lat=1&lon=1", "missing_device_id"),
        ("id=&lat=1&lon=1", "missing_device_id"),
        ("id=%00&lat=1&lon=1", "invalid_device_id"),
        (f"id={'x' * 200}&lat=1&lon=1", "invalid_device_id"),
    ],
)
def test_it_needs_an_identifier(query, code):
    with pytest.raises(BodyError) as raised:
        read(query)
    assert raised.value.code == code


def test_a_form_of_thousands_of_parameters_is_refused():
    with pytest.raises(BodyError):
        form_parameters(b"a=1&" * 10_000)


# --- Anything ---------------------------------------------------------------------------------------------------------


NAMES = st.sampled_from(
    [
        *("id", "deviceid", "lat", "lon", "location", "timestamp", "valid", "speed", "bearing", "heading", "altitude"),
        *("accuracy", "hdop", "batt", "charge", "alarm", "driverUniqueId", "cell", "wifi", "notificationToken"),
    ]
)
VALUES = st.one_of(st.text(max_size=30), st.floats().map(str), st.integers().map(str), st.datetimes().map(str))


@given(st.dictionaries(st.one_of(NAMES, st.text(max_size=10)), st.lists(VALUES, max_size=3), max_size=12))
def test_any_parameters_make_a_message_or_a_body_error(parameters):
    with suppress(BodyError):
        assert is_sound(parse_parameters({"id": ["7"], **parameters}, now=NOW))


@given(st.binary(max_size=300))
def test_any_bytes_make_a_message_or_a_body_error(given):
    for parse in (parse_json, lambda found, now: parse_parameters(form_parameters(found), now=now)):
        with suppress(BodyError):
            assert is_sound(parse(given, now=NOW))
