"""Traccar's CSV export."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix
from tasks_app.ingest.registry import format_of, parser_for

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HEADER = (
    "id,deviceId,protocol,serverTime,deviceTime,fixTime,valid,latitude,longitude,altitude,speed,course,address,accuracy,"
    "batteryLevel,ignition,totalDistance\n"
)


def row(fix_time="2020-01-01 00:00:00", address="", speed="21.6", more="87.0,true,1200.5", latitude="1.5", **kinds):
    valid, accuracy, device = kinds.get("valid", "true"), kinds.get("accuracy", "8.0"), kinds.get("device", "7")
    return (
        f"99,{device},osmand,2020-01-01 00:00:01,2020-01-01 00:00:00,{fix_time},{valid},{latitude},2.5,12.0,{speed},270.0,"
        f"{address},{accuracy},{more}\n"
    )


@pytest.fixture
def read(tmp_path):
    def read_file(text, device_id=None, zone=None):
        path = tmp_path / "export.csv"
        path.write_text(text)
        assert format_of(path) == "traccar_csv"
        return list(parser_for(path)(path, device_id, now=NOW, zone=zone))

    return read_file


def test_it_reads_a_row_in_the_products_units(read):
    (fix,) = read(HEADER + row())
    attributes = {"batteryLevel": 87.0, "ignition": True, "totalDistance": 1200.5}
    expected = Fix("7", datetime(2020, 1, 1, tzinfo=UTC), 1.5, 2.5, 21.6 * 1.852, 270.0, 12.0, 8.0, attributes)
    assert fix == expected
    assert fix.speed_kph == pytest.approx(40.0, abs=0.01)


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        ("America/Sao_Paulo", "2020-01-01 00:00:00", "2020-01-01T03:00:00"),
        ("Europe/Berlin", "2020-07-01 02:00:00", "2020-07-01T00:00:00"),
        ("Europe/Berlin", "2020-10-25 02:30:00", "2020-10-25T00:30:00"),
        ("Europe/Berlin", "2020-07-01T02:00:00+00:00", "2020-07-01T02:00:00"),
    ],
)
def test_it_takes_times_as_those_of_the_exporting_users_zone(read, zone, text, expected):
    (fix,) = read(HEADER + row(text), zone=ZoneInfo(zone))
    assert fix.fix_time == datetime.fromisoformat(expected + "+00:00")


def test_an_address_with_commas_breaks_nothing(read):
    (fix,) = read(HEADER + row(address="Rua A, 12, São Paulo, BR"))
    assert (fix.accuracy_meters, fix.attributes["batteryLevel"], fix.course_degrees) == (8.0, 87.0, 270.0)


def test_the_device_is_the_option_else_the_unique_id_else_the_number(read):
    with_unique = HEADER.replace("deviceId", "deviceId,uniqueId")
    text = row().replace("99,7,", "99,7,861234,")
    assert read(with_unique + text)[0].device_id == "861234"
    assert read(HEADER + row())[0].device_id == "7"
    assert read(HEADER + row(), "van")[0].device_id == "van"
    assert read(HEADER.replace("deviceId,", "") + row().replace("99,7,", "99,"), "van")[0].device_id == "van"


def test_it_keeps_that_a_fix_was_invalid_and_that_an_accuracy_was_not_told(read):
    (fix,) = read(HEADER + row(valid="false", accuracy="0.0", more=",,"))
    assert (fix.accuracy_meters, fix.attributes) == (None, {"valid": False})


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (row(latitude="91"), "invalid_latitude"),
        (row(latitude="nan"), "invalid_latitude"),
        (row(latitude=""), "missing_latitude"),
        (row(fix_time=""), "missing_timestamp"),
        (row(fix_time="1980-01-06 00:00:00"), "timestamp_too_old"),
        (row(fix_time="yesterday"), "invalid_timestamp"),
        (row(device=""), "missing_device_id"),
        ("x\n", "missing_device_id"),
    ],
)
def test_it_reports_a_bad_row_and_goes_on(read, bad, code):
    first, rejected, last = read(HEADER + row() + bad + row())
    assert isinstance(first, Fix)
    assert isinstance(last, Fix)
    assert (rejected.index, rejected.code) == (1, code)


@pytest.mark.parametrize("invalid", ["f", "0", "FALSE", "\x00", "\\0", "FALSCH", "Falso"])
def test_it_reads_the_table_of_a_database(read, invalid):
    names = "ID,DEVICEID,FIXTIME,VALID,LATITUDE,LONGITUDE,SPEED,ADDRESS,ATTRIBUTES,ACCURACY,NETWORK\n"
    text = '1,7,2020-01-01 00:00:00.123,{},1.5,2.5,21.6,"A, 12","{{""ignition"":true,""fuel"":40.5}}",8,NULL\n'
    good, bad, bare = read(
        names + text.format("t") + text.format(invalid) + "1,7,2020-01-02 00:00:00,1,1.5,2.5,\\N,,{},0,null\n"
    )
    assert good.attributes == {"ignition": True, "fuel": 40.5}
    assert bad.attributes == {**good.attributes, "valid": False}
    assert (bare.speed_kph, bare.attributes, bare.unknown) == (None, {}, ())


def test_attributes_that_are_no_object_are_left_out_and_counted(read):
    (fix,) = read("deviceid,fixtime,latitude,longitude,attributes\n7,2020-01-01 00:00:00,1.5,2.5,{broken\n")
    assert (fix.attributes, fix.unknown) == ({}, ("attributes",))


@pytest.mark.parametrize(
    "names",
    [
        "device_id,fixTime,latitude,longitude,speed",
        "imei,fixTime,latitude,longitude,speed",
        "deviceId,fixTime,latitude,longitude,speed_kph",
        "uniqueId,fixTime,latitude,longitude,Speed (km/h)",
    ],
)
def test_a_time_that_is_named_as_traccars_does_not_make_speeds_knots(tmp_path, names):
    path = tmp_path / "own.csv"
    path.write_text(f"{names}\nv,2020-01-01T00:00:00Z,1.5,2.5,36\n")
    assert format_of(path) == "csv"
    (fix,) = parser_for(path)(path, now=NOW)
    assert (fix.device_id, fix.speed_kph) == ("v", 36.0)


def test_it_says_which_columns_are_missing(read):
    with pytest.raises(BodyError, match="latitude, longitude"):
        read("id,deviceId,fixTime\n1,2,3\n")
    with pytest.raises(BodyError, match="deviceId"):
        read("fixTime,latitude,longitude\n")
