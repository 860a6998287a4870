"""Files of tracks across the 180th meridian: lines are cut there (RFC 7946, section 3.1.9), scales say the truth."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import gpxpy
import pytest
from pypdf import PdfReader

from reports_app.exporters import get_exporter
from reports_app.table import Column, ColumnKind, DisplaySettings, ReportTable, Section

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
READER = DisplaySettings("en", "UTC")
KML = {"k": "http://www.opengis.net/kml/2.2"}
TRACK = [
    Column("fix_time", "Time", ColumnKind.DATETIME),
    Column("latitude", "Latitude", ColumnKind.LATITUDE),
    Column("longitude", "Longitude", ColumnKind.LONGITUDE),
]
TRIPS = [
    Column("start_latitude", "Start latitude", ColumnKind.LATITUDE),
    Column("start_longitude", "Start longitude", ColumnKind.LONGITUDE),
    Column("end_latitude", "End latitude", ColumnKind.LATITUDE),
    Column("end_longitude", "End longitude", ColumnKind.LONGITUDE),
]
# Places a minute apart, and the lines that a map may draw.
LINES = [
    ([(10, 179.8), (20, -179.8)], [[[179.8, 10], [180, 15]], [[-180, 15], [-179.8, 20]]]),
    ([(10, -179.8), (20, 179.8)], [[[-179.8, 10], [-180, 15]], [[180, 15], [179.8, 20]]]),
    (
        [(10, 179), (10, 179.8), (10, -179.8), (10, -179), (10, 179)],
        [
            [[179, 10], [179.8, 10], [180, 10]],
            [[-180, 10], [-179.8, 10], [-179, 10], [-180, 10]],
            [[180, 10], [179, 10]],
        ],
    ),
    ([(10, 179), (10, 180), (10, 179)], [[[179, 10], [180, 10], [179, 10]]]),
    ([(10, 179), (11, 180), (12, -179)], [[[179, 10], [180, 11], [180, 11]], [[-180, 11], [-179, 12]]]),
    ([(90, 179), (90, -179)], [[[179, 90], [180, 90]], [[-180, 90], [-179, 90]]]),
    ([(10, -1), (10, 1)], [[[-1, 10], [1, 10]]]),
]


def write(format, section, tmp_path):
    path = tmp_path / f"report.{format}"
    table = ReportTable("route", "Route", "Van", START, START + timedelta(days=1), "UTC", [section])
    get_exporter(format).write(table, path, READER)
    return path


def track(places, every=timedelta(minutes=1)):
    return Section("route", "Route", TRACK, [[START + n * every, *place] for n, place in enumerate(places)])


def kml_lines(path, element="LineString"):
    found = ElementTree.parse(path).getroot().iterfind(f".//k:{element}/k:coordinates", KML)
    return [[[float(value) for value in place.split(",")] for place in each.text.split()] for each in found]


@pytest.mark.parametrize(("places", "lines"), LINES)
def test_geojson_and_kml_cut_a_track_at_the_meridian(places, lines, tmp_path):
    line = json.loads(write("geojson", track(places), tmp_path).read_bytes())["features"][0]
    assert line["geometry"] == {"type": "MultiLineString", "coordinates": lines}
    assert kml_lines(write("kml", track(places), tmp_path)) == lines


def test_gpx_begins_another_segment_and_adds_no_position(tmp_path):
    (found,) = gpxpy.parse(write("gpx", track([(10, 179.8), (20, -179.8)]), tmp_path).read_text()).tracks
    assert [[point.longitude for point in segment.points] for segment in found.segments] == [[179.8], [-179.8]]


def test_a_trip_over_the_meridian_is_two_lines(tmp_path):
    section = Section("trips", "Trips", TRIPS, [[10, 179.8, 20, -179.8], [10, -1, 20, 1]])
    over, other = json.loads(write("geojson", section, tmp_path).read_bytes())["features"]
    lines = [[[179.8, 10], [180, 15]], [[-180, 15], [-179.8, 20]]]
    assert over["geometry"] == {"type": "MultiLineString", "coordinates": lines}
    assert other["geometry"] == {"type": "LineString", "coordinates": [[-1, 10], [1, 20]]}
    assert kml_lines(write("kml", section, tmp_path)) == [*lines, [[-1, 10], [1, 20]]]
    tracks = gpxpy.parse(write("gpx", section, tmp_path).read_text()).tracks
    assert [[len(segment.points) for segment in one.segments] for one in tracks] == [[1, 1], [2]]


def test_a_position_alone_is_a_point_in_kml(tmp_path):
    path = write("kml", track([(10, 20), (11, 21), (12, 22)], every=timedelta(hours=1)), tmp_path)
    assert kml_lines(path) == []
    assert kml_lines(path, "Point") == [[[20, 10]], [[21, 11]], [[22, 12]]]


@pytest.mark.parametrize(
    "places",
    [
        [(-17, 179.9), (-17, -179.7)],
        [(-17, -179.7), (-17, 179.9)],
        [(-17, 12.0), (-17, 12.4)],
        [(-17, -0.2), (-17, 0.2)],
    ],
)
def test_the_scale_of_a_sketch_says_the_truth(places, tmp_path):
    text = PdfReader(write("pdf", track(places), tmp_path)).pages[0].extract_text()
    assert re.findall(r"[\d,]+ km", text) == ["2 km"]
