"""GeoJSON files: points and lines, read as a stream."""

import io
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.ingest import json_stream
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.json_stream import iter_members
from tasks_app.ingest.registry import format_of, parser_for

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AT = "2020-01-01T00:00:00Z"
TIME = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def read(tmp_path):
    def read_file(document, name="bus-7.geojson", device_id=None, zone=None):
        path = tmp_path / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return list(parser_for(path)(path, device_id, now=NOW, zone=zone))

    return read_file


def feature(kind="Point", coordinates=(2.5, 1.5), **properties):
    return {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": {"time": AT, **properties},
    }


def collection(*features):
    return {"type": "FeatureCollection", "features": list(features)}


def test_it_reads_points_in_the_products_units(read):
    point = feature(
        coordinates=[2.5, 1.5, 300], device_id="bus", speed=42, heading=360, accuracy=5, attributes={"ignition": True}
    )
    assert read(collection(point)) == [Fix("bus", TIME, 1.5, 2.5, 42.0, 0.0, 300.0, 5.0, {"ignition": True})]


@pytest.mark.parametrize("name", ["time", "timestamp", "fix_time", "fixTime"])
@pytest.mark.parametrize("value", [AT, 1577836800, 1577836800000])
def test_it_finds_the_time_by_any_of_its_names(read, name, value):
    point = {**feature(), "properties": {name: value}}
    assert read(collection(point))[0].fix_time == TIME


def test_it_reads_a_line_with_a_time_for_each_position(read):
    line = feature(
        "LineString", [[2, 1, 10], [3, 1]], coordTimes=[AT, "2020-01-01T00:00:10Z"], speed=[1, None], name="V"
    )
    first, second = read(collection(line))
    assert first == Fix("V", TIME, 1.0, 2.0, 1.0, None, 10.0)
    assert (second.longitude, second.fix_time.second, second.speed_kph) == (3.0, 10, None)


def test_it_reads_several_lines_of_one_feature(read):
    times = {"coordinateProperties": {"times": [[AT], [1577836810]]}}
    fixes = read(feature("MultiLineString", [[[2, 1]], [[3, 1]]], **times))
    assert [(fix.longitude, fix.fix_time.second) for fix in fixes] == [(2.0, 0), (3.0, 10)]


@pytest.mark.parametrize(
    ("properties", "option", "expected"),
    [
        ({}, None, "bus-7"),
        ({"deviceId": 7}, None, "7"),
        ({"unique_id": "x"}, None, "x"),
        ({"unique_id": "x"}, "van", "van"),
    ],
)
def test_it_names_the_device_by_option_else_property_else_file(read, properties, option, expected):
    assert read(collection(feature(**properties)), device_id=option)[0].device_id == expected


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (feature("Polygon", [[[0, 0], [1, 0], [1, 1], [0, 0]]]), "unsupported_geometry"),
        ({"type": "Feature", "geometry": None, "properties": {}}, "unsupported_geometry"),
        ({}, "unsupported_geometry"),
        (feature(coordinates=[1]), "invalid_coordinates"),
        (feature(coordinates="1,2"), "invalid_coordinates"),
        (feature(coordinates=["1", 2]), "invalid_longitude"),
        (feature(coordinates=[200, 2]), "invalid_longitude"),
        (feature(coordinates=[1, True]), "invalid_latitude"),
        (feature(coordinates=[0, 0]), "no_fix"),
        (feature(time=None), "missing_timestamp"),
        (feature(time="2020-01-01T00:00:00"), "timestamp_without_zone"),
        (feature(time=[AT, AT]), "invalid_timestamp"),
        (feature(device_id=True), "invalid_device_id"),
        (feature("LineString", [[1, 2], [2, 2]]), "missing_timestamp"),
        (feature("LineString", [[1, 2], [2, 2]], coordTimes=[AT]), "invalid_timestamp"),
        (feature("LineString", 5, coordTimes=[AT]), "missing_timestamp"),
        (feature("MultiLineString", [5], coordTimes=[[AT]]), "missing_timestamp"),
    ],
)
def test_it_rejects_what_cannot_be_right_and_goes_on(read, item, code):
    first, bad, last = read(collection(feature(), item, feature()))
    assert isinstance(first, Fix)
    assert isinstance(last, Fix)
    assert (bad.index, bad.code) == (1, code)


def test_it_takes_times_without_a_zone_as_those_of_the_zone_it_is_told(read):
    zone = ZoneInfo("America/Sao_Paulo")
    assert read(collection(feature(time="2020-01-01T00:00:00")), zone=zone)[0].fix_time.hour == 3


def test_a_speed_that_names_its_unit_is_in_it_whatever_wrote_the_file(read):
    named, bare = feature(provider="gps", speed_kph=72), feature(provider="gps", speed=20)
    assert [fix.speed_kph for fix in read(collection(named, bare))] == [72.0, 72.0]


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "A.GeoJSON"])
def test_it_is_known_by_its_extension_or_its_content(tmp_path, name):
    import gzip

    body = json.dumps(collection(feature())).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(body) if name.endswith(".gz") else body)
    assert format_of(path) == "geojson"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "wrong_shape"),
        ("[]", "wrong_shape"),
        ("{}", "wrong_shape"),
        ('{"type": "FeatureCollection"}', "wrong_shape"),
        ('{"type": "FeatureCollection", "features": [{}', "not_json"),
        ('{"type": "FeatureCollection", "features": [1, 2]}', "not_json"),
        ('{"type": "FeatureCollection", "features": []}{}', "not_json"),
        ('["FeatureCollection"]', "not_json"),
    ],
)
def test_it_says_what_is_wrong_with_a_file(read, text, code):
    with pytest.raises(BodyError) as caught:
        read(text)
    assert caught.value.code == code


def test_a_feature_that_is_no_json_costs_only_itself(read):
    text = json.dumps(collection({"bad": 1}, feature())).replace('"bad":', '"bad"')
    bad, good = read(text)
    assert (bad.code, good.latitude) == ("not_json", 1.5)


@settings(max_examples=100)
@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.text('"\\{}[]é', max_size=8) | st.lists(st.integers()), max_size=3)
    ),
    st.integers(1, 40),
    st.booleans(),
)
def test_members_come_out_as_they_were_wherever_the_reads_end(members, size, ascii_only):
    document = {"a": ["features"], "b": {"features": [{"x": 1}]}, "features": members, "c": "features", "d": [{}]}
    stream = io.BytesIO(json.dumps(document, ensure_ascii=ascii_only).encode())
    chunked = type("Chunked", (), {"read": lambda self, _bytes: stream.read(size)})()
    assert [json.loads(raw) for raw in iter_members(chunked, "features")] == members


def test_it_bounds_what_it_keeps(monkeypatch):
    monkeypatch.setattr(json_stream, "MAX_STRING_BYTES", 1000)
    monkeypatch.setattr(json_stream, "MAX_ITEM_BYTES", 3000)
    for text in (b'{"features": [{"a": "' + b"x" * 600_000, b'{"features": [{' + b'"a",' * 200_000):
        with pytest.raises(BodyError):
            list(iter_members(io.BytesIO(text), "features"))


def test_it_never_lets_anything_else_out(read):
    for text in ('{"features": [{"geometry": ' + "[" * 100_000 + "]" * 100_000 + "}]}", '{"features": [{"a": 1e999}]}'):
        assert all(isinstance(found, RejectedFix) for found in read(text))
