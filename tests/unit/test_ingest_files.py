import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import gpxpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.registry import FILE_FORMATS, parser_for

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TRACES = Path(os.environ.get("TRACES_DIR") or Path(__file__).resolve().parents[3] / "shared" / "data")
HEADER = "device_id,timestamp,latitude,longitude\n"
GPX = '<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">{}</gpx>'
POINT = '<trkpt lat="45.5" lon="13.5"><ele>200.5</ele><time>2020-12-18T06:15:50Z</time></trkpt>'


@pytest.fixture
def read(tmp_path):
    def read_file(name, content, device_id=None):
        path = tmp_path / name
        body = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(gzip.compress(body) if name.endswith(".gz") and content is not body else body)
        return list(parser_for(path)(path, device_id, now=NOW))

    return read_file


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "A.CSV"])
def test_it_reads_csv_plain_or_packed(read, name):
    (fix,) = read(name, HEADER + "bus,2020-01-01T00:00:00Z,1.5,2.5\n")
    assert fix == Fix("bus", datetime(2020, 1, 1, tzinfo=UTC), 1.5, 2.5)


@pytest.mark.parametrize(
    "text",
    [
        "device_id,timestamp,lat,lng,altitude,speed,course,accuracy\nb,1577836800,1,2,3,4,5,6\n",
        "DEVICE_ID;Timestamp;Latitude;Longitude;altitude_m;speed_kph;Course;accuracy_m\r\nb;1577836800000;1;2;3;4;5;6",
        "\ufeffaccuracy\tcourse\tspeed\taltitude\tlon\tlat\ttimestamp\tdevice_id\tx\n6\t5\t4\t3\t2\t1\t1577836800\tb\ty",
    ],
)
def test_it_knows_the_columns_by_any_of_their_names(read, text):
    assert read("a.csv", text) == [Fix("b", datetime(2020, 1, 1, tzinfo=UTC), 1.0, 2.0, 4.0, 5.0, 3.0, 6.0)]


def test_it_takes_an_empty_csv_field_as_not_sent_and_skips_empty_lines(read):
    text = "device_id,timestamp,latitude,longitude,speed\nb,2020-01-01T00:00:00Z,1,2,\n\nb,2020-01-01T00:00:05Z,1,2\n"
    assert [fix.speed_kph for fix in read("a.csv", text)] == [None, None]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("b,2020-01-01T00:00:00Z,91,2", "invalid_latitude"),
        ("b,2020-01-01T00:00:00Z,nan,2", "invalid_latitude"),
        ("b,2020-01-01T00:00:00Z,1_0,2", "invalid_latitude"),
        ("b,2020-01-01T00:00:00Z,1,1e999", "invalid_longitude"),
        ("b,2020-01-01T00:00:00Z,1", "missing_longitude"),
        ("b,2020-01-01T00:00:00,1,2", "timestamp_without_zone"),
        ("b,20200101,1,2", "timestamp_too_old"),
        (",2020-01-01T00:00:00Z,1,2", "missing_device_id"),
        ("b\x00,2020-01-01T00:00:00Z,1,2", "invalid_device_id"),
        ("b", "missing_timestamp"),
    ],
)
def test_it_reports_a_bad_csv_row_and_goes_on(read, row, code):
    good = "b,2020-01-01T00:00:00Z,1,2"
    first, bad, last = read("a.csv", HEADER + f"{good}\n{row}\n{good}\n")
    assert isinstance(first, Fix)
    assert isinstance(last, Fix)
    assert (bad.index, bad.code) == (1, code)


def test_it_lets_an_option_name_the_device(read):
    assert read("a.csv", "timestamp,lat,lon\n1577836800,1,2\n", "van")[0].device_id == "van"
    assert read("a.csv", HEADER + "x,1577836800,1,2\n", "van")[0].device_id == "van"
    assert read("a.gpx", GPX.format(f"<trk><name>x</name><trkseg>{POINT}</trkseg></trk>"), "van")[0].device_id == "van"
    item = {"device_id": "x", "timestamp": 1577836800, "latitude": 1, "longitude": 2}
    assert read("a.json", json.dumps([item]), "van")[0].device_id == "van"


def test_it_reads_gpx_in_the_products_units(read):
    point = (
        '<trkpt lat="45.5" lon="13.5"><ele>200.5</ele><time>2020-12-18T06:15:50Z</time><hdop>1.5</hdop><sat>7</sat>'
        '<extensions><t:TrackPointExtension xmlns:t="urn:g"><t:speed>10</t:speed><t:course>90</t:course>'
        "</t:TrackPointExtension></extensions></trkpt>"
    )
    (fix,) = read("a.gpx", GPX.format(f"<trk><name> Van 7 </name><trkseg>{point}</trkseg></trk>"))
    expected_time = datetime(2020, 12, 18, 6, 15, 50, tzinfo=UTC)
    assert fix == Fix("Van 7", expected_time, 45.5, 13.5, 36.0, 90.0, 200.5, None, {"hdop": 1.5, "sat": 7.0})


def test_it_names_a_gpx_device_by_track_else_by_file(read):
    text = GPX.format(f"<trk><trkseg>{POINT}</trkseg></trk><trk><name>B</name><trkseg>{POINT}</trkseg></trk>")
    assert [fix.device_id for fix in read("Truck-3.gpx.gz", text)] == ["Truck-3", "B"]


@pytest.mark.parametrize(
    ("time", "hour"),
    [("2020-12-18T06:15:50", 6), ("2020-12-18T08:15:50+02:00", 6), ("2020-12-18T06:15:50.000Z", 6)],
)
def test_it_takes_gpx_times_as_utc(read, time, hour):
    text = GPX.format(f"<trk><trkseg>{POINT.replace('2020-12-18T06:15:50Z', time)}</trkseg></trk>")
    assert read("a.gpx", text)[0].fix_time.hour == hour


def test_it_leaves_waypoints_and_routes_out_and_rejects_points_that_cannot_be_right(read):
    bad = '<trkpt lat="95" lon="1"><time>2020-12-18T06:15:50Z</time></trkpt><trkpt lat="1" lon="1"/>'
    text = GPX.format(f'<wpt lat="1" lon="1"/><rte><rtept lat="1" lon="1"/></rte><trk><trkseg>{bad}</trkseg></trk>')
    assert [bad.code for bad in read("a.gpx", text)] == ["invalid_latitude", "missing_timestamp"]


def test_it_reads_json_documents_and_json_lines(read):
    item = {"device_id": "x", "timestamp": 1577836800, "latitude": 1, "longitude": 2}
    line = json.dumps(item)
    (expected,) = read("a.json", json.dumps({"positions": [item]}))
    first, bad, second = read("a.jsonl.gz", f"{line}\n\nnot json\n{line}\n")
    assert first == second == expected
    assert (bad.index, bad.code) == (1, "not_an_object")


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", "", "wrong_header"),
        ("a.csv", "a,b\n1,2\n", "wrong_header"),
        ("a.csv", "timestamp,lat,lon\n1577836800,1,2\n", "wrong_header"),
        ("a.csv", b"\xff\xfe\x00", "unreadable_file"),
        ("a.csv", "x" * 100_001, "unreadable_file"),
        ("a.csv.gz", b"not gzip", "unreadable_file"),
        ("a.csv.gz", gzip.compress(HEADER.encode() * 99, mtime=0)[:-9], "unreadable_file"),
        ("a.gpx", "", "not_gpx"),
        ("a.gpx", "<html></html>", "not_gpx"),
        ("a.gpx", "<gpx><trk>", "not_gpx"),
        ("a.gpx", "<gpx>" + "<a>" * 1000, "not_gpx"),
        ("a.gpx", '<!DOCTYPE gpx [<!ENTITY a "b">]><gpx>&a;</gpx>', "not_gpx"),
        ("a.gpx", b"\x00\x01", "not_gpx"),
        ("a.json", "{", "not_json"),
        ("a.json", "[]", "empty"),
        ("a.kml", "", "unknown_format"),
        ("csv", "", "wrong_header"),
        ("noextension", "", "unknown_format"),
    ],
)
def test_it_says_what_is_wrong_with_a_file(read, name, content, code):
    with pytest.raises(BodyError) as caught:
        read(name, content)
    assert caught.value.code == code


@settings(max_examples=150)
@given(
    name=st.sampled_from(sorted(FILE_FORMATS)),
    packed=st.booleans(),
    head=st.sampled_from([b"", HEADER.encode(), b'<gpx><trk><trkseg><trkpt lat="1" lon="', b'{"positions":[']),
    tail=st.binary(max_size=80) | st.text('0123456789.,:"-TZ<>/\n[]{}', max_size=80).map(str.encode),
)
def test_it_never_lets_anything_else_out_of_a_file(read, name, packed, head, tail):
    content = gzip.compress(head + tail) if packed else head + tail
    found = read_or_refuse(read, f"fuzz.{name}.gz" if packed else f"fuzz.{name}", content)
    assert all(isinstance(fix, Fix | RejectedFix) for fix in found)


def read_or_refuse(read, name, content):
    try:
        return read(name, content)
    except BodyError:
        return []


@pytest.mark.skipif(not TRACES.is_dir(), reason=f"no real traces in {TRACES} (set TRACES_DIR)")
def test_it_reads_a_real_garmin_track_as_gpxpy_does():
    path = TRACES / "around-visnjan-with-car.gpx"
    fixes = list(parser_for(path)(path, "car", now=NOW))
    points = [point for point, *_ in gpxpy.parse(path.read_text()).walk()]
    assert len(fixes) == len(points) == 104
    for fix, point in zip(fixes, points, strict=True):
        assert (fix.latitude, fix.longitude, fix.altitude_meters) == (point.latitude, point.longitude, point.elevation)
        assert fix.fix_time == point.time


@pytest.mark.skipif(not TRACES.is_dir(), reason=f"no real traces in {TRACES} (set TRACES_DIR)")
def test_it_reads_every_row_of_the_real_geolife_sample():
    path = TRACES / "geolife_sample.csv.gz"
    fixes = list(parser_for(path)(path, now=NOW))
    assert len(fixes) == 164_531
    assert len({(fix.device_id, fix.fix_time) for fix in fixes}) == 164_318
    assert len({fix.device_id for fix in fixes}) == 11


def test_it_stops_reading_a_file_that_unpacks_without_end(read, monkeypatch):
    from tasks_app.ingest import files

    monkeypatch.setattr(files, "UNPACKED_BYTES_FREE", 100_000)
    bomb = HEADER.encode() + b"x,1,1,1\n" * 1_000_000
    with pytest.raises(BodyError) as caught:
        read("a.csv.gz", gzip.compress(bomb))
    assert caught.value.code == "body_too_large"


def test_a_zone_can_stand_for_the_one_csv_times_lack(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "b,2020-01-01T00:00:00,1,2\nb,2020-01-01T00:00:00Z,1,2\n")
    first, second = parser_for(path)(path, now=NOW, zone=ZoneInfo("Asia/Tokyo"))
    assert (first.fix_time.hour, second.fix_time.hour) == (15, 0)


@pytest.mark.parametrize("name", ["log.nmea", "log.txt", "log.csv", "log.gpx", "log.json", "log.geojson"])
@pytest.mark.parametrize("start", ["$GPGGA,123519,4807.038,N", "$GNRMC,123519,A", "!AIVDM,1,1,,B", "$PMTK010,001"])
def test_a_log_of_nmea_sentences_is_named_as_one(tmp_path, name, start):
    path = tmp_path / name
    path.write_text(f"{start}*47\r\n$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A\r\n")
    with pytest.raises(BodyError, match=r"^The file is an NMEA 0183 log\."):
        list(parser_for(path)(path, now=NOW))


@pytest.mark.parametrize("name", ["lines.json", "lines.jsonl", "lines.ndjson", "lines.NDJSON.gz"])
@pytest.mark.parametrize(
    "line",
    [
        '{"device_id": "car", "timestamp": "2026-11-02T08:00:00Z", "latitude": 1, "longitude": 2}\n',
        '{"type": "Feature", "geometry": {"type": "Point", "coordinates": [2, 1]},'
        ' "properties": {"time": "2026-11-02T08:00:00Z"}}\n',
    ],
    ids=["positions", "features"],
)
def test_one_object_a_line_is_read_by_each_name_that_an_upload_takes(tmp_path, name, line):
    path = tmp_path / name
    path.write_bytes(gzip.compress(line.encode() * 2) if name.endswith(".gz") else line.encode() * 2)
    fixes = list(parser_for(path)(path, "car", now=NOW))
    assert [(fix.latitude, fix.longitude) for fix in fixes] == [(1.0, 2.0)] * 2
