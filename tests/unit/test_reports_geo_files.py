"""Geographic files: each is opened again by another reader."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import gpxpy
import numpy as np
import pytest
from django.utils.translation import override

from reports_app.exporters import get_exporter
from reports_app.table import CHUNK_ROWS, Column, ColumnKind, DisplaySettings, ReportTable, Section, chunk_of
from tasks_app.geo.units import DistanceUnit, SpeedUnit, Units

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
READER = DisplaySettings("en", "America/Sao_Paulo", Units(DistanceUnit.MI, SpeedUnit.MPH))
KML = {"k": "http://www.opengis.net/kml/2.2"}
NAME = 'Van <1> & "co" 🚚 عربة \x07' + "x" * 300

TRACK = [
    Column("fix_time", "Time", ColumnKind.DATETIME),
    Column("latitude", "Latitude", ColumnKind.LATITUDE),
    Column("longitude", "Longitude", ColumnKind.LONGITUDE),
    Column("altitude_meters", "Altitude", ColumnKind.ALTITUDE_METERS),
    Column("speed_kph", "Speed", ColumnKind.SPEED_KPH),
    Column("course_degrees", "Course", ColumnKind.COURSE_DEGREES),
]
EVENTS = [
    Column("occurred_at", "Time", ColumnKind.DATETIME),
    Column("kind", "Kind", ColumnKind.LABEL),
    Column("note", "Note"),
    Column("speed_kph", "Speed", ColumnKind.SPEED_KPH),
    Column("latitude", "Latitude", ColumnKind.LATITUDE),
    Column("longitude", "Longitude", ColumnKind.LONGITUDE),
]
TRIPS = [
    Column("started_at", "Start", ColumnKind.DATETIME),
    Column("ended_at", "End", ColumnKind.DATETIME),
    Column("distance_km", "Distance", ColumnKind.DISTANCE_KM),
    Column("start_latitude", "Start latitude", ColumnKind.LATITUDE),
    Column("start_longitude", "Start longitude", ColumnKind.LONGITUDE),
    Column("end_latitude", "End latitude", ColumnKind.LATITUDE),
    Column("end_longitude", "End longitude", ColumnKind.LONGITUDE),
]


def fix(minute, latitude, longitude, altitude=760.0, speed=36.0, course=90.0):
    return [START + timedelta(minutes=minute), latitude, longitude, altitude, speed, course]


TRACK_ROWS = [
    fix(0, -23.5, -46.6),
    fix(1, -23.4, -46.5, altitude=None, speed=None, course=None),
    fix(1.5, None, None),
    fix(90, -23.3, -46.4),  # after a pause of an hour and a half: alone in its segment
    fix(200, -17.0, 179.9),
    fix(201, -17.1, -179.9),  # across the 180th meridian
]
EVENT_ROWS = [
    [START, "Ignition on", NAME, 80.4672, -23.5, -46.6],
    [START, "SOS", None, None, None, None],
    [None, None, "=1+1", None, 0.0, 0.000001],
]
TRIP_ROWS = [[START, START + timedelta(hours=1), 16.09344, -23.5, -46.6, -23.4, -46.5]]


def table_of(*sections: Section) -> ReportTable:
    return ReportTable("route", "Route", NAME, START, START + timedelta(days=1), "America/Sao_Paulo", sections)


def everything() -> ReportTable:
    totals = Section("totals", "Totals", [Column("n", "N", ColumnKind.INTEGER)], [[1]])
    track = Section("route", "Route", TRACK, TRACK_ROWS)
    return table_of(
        totals, track, Section("events", "Events", EVENTS, EVENT_ROWS), Section("trips", "Trips", TRIPS, TRIP_ROWS)
    )


def write(format, table, tmp_path):
    path = tmp_path / f"report.{format}"
    get_exporter(format).write(table, path, READER)
    assert list(tmp_path.iterdir()) == [path]
    return path


def test_geojson_has_the_line_of_a_track_and_a_feature_per_row(tmp_path):
    found = json.loads(write("geojson", everything(), tmp_path).read_bytes())
    assert (found["type"], found["report"]["subject"]) == ("FeatureCollection", NAME)
    line, *points = [each for each in found["features"] if each["properties"]["section"] == "route"]
    assert line["geometry"] == {
        "type": "MultiLineString",
        "coordinates": [
            [[-46.6, -23.5], [-46.5, -23.4]],
            [[-46.4, -23.3], [-46.4, -23.3]],
            [[179.9, -17.0], [180.0, -17.05]],
            [[-180.0, -17.05], [-179.9, -17.1]],
        ],
    }
    assert [point["geometry"]["coordinates"] for point in points] == [
        [-46.6, -23.5], [-46.5, -23.4], [-46.4, -23.3], [179.9, -17.0], [-179.9, -17.1]
    ]  # fmt: skip
    assert points[0]["properties"] == {
        "section": "route",
        "fix_time": "2026-03-01T12:00:00Z",
        "latitude": -23.5,
        "longitude": -46.6,
        "altitude_meters": 760.0,
        "speed_kph": 36.0,
        "course_degrees": 90.0,
    }
    events = [each for each in found["features"] if each["properties"]["section"] == "events"]
    assert [each["geometry"]["type"] for each in events] == ["Point", "Point"]
    assert events[0]["properties"]["note"] == NAME
    (trip,) = [each for each in found["features"] if each["properties"]["section"] == "trips"]
    assert trip["geometry"] == {"type": "LineString", "coordinates": [[-46.6, -23.5], [-46.5, -23.4]]}


def test_gpx_has_segments_elevations_times_and_waypoints(tmp_path):
    path = write("gpx", everything(), tmp_path)
    with path.open(encoding="utf-8") as file:
        found = gpxpy.parse(file, version="1.1")
    assert found.name == f"{NAME} · Route".replace("\x07", "")
    route, trip = found.tracks
    assert [len(segment.points) for segment in route.segments] == [2, 1, 1, 1]
    first, second = route.segments[0].points
    assert (first.latitude, first.longitude, first.elevation, first.time) == (-23.5, -46.6, 760.0, START)
    assert second.elevation is None
    speed, course = first.extensions[0]
    assert (speed.tag.rpartition("}")[2], speed.text, course.text) == ("speed", "10.0", "90.0")
    assert second.extensions == []
    assert [(point.name, point.latitude) for point in found.waypoints] == [("Ignition on", -23.5), ("Events", 0.0)]
    assert [(point.time, point.longitude) for point in trip.segments[0].points] == [
        (START, -46.6),
        (START + timedelta(hours=1), -46.5),
    ]


def test_gpx_elements_come_in_the_order_of_the_schema(tmp_path):
    root = ElementTree.parse(write("gpx", everything(), tmp_path)).getroot()
    order = [child.tag.rpartition("}")[2] for child in root]
    assert order == ["metadata", "wpt", "wpt", "trk", "trk"]
    point = next(root.iter("{http://www.topografix.com/GPX/1/1}trkpt"))
    assert [child.tag.rpartition("}")[2] for child in point] == ["ele", "time", "extensions"]


def test_a_course_is_less_than_a_whole_turn_in_gpx(tmp_path):
    """TrackPointExtension's degreesType ends before 360, where rounding would bring 359.97."""
    rows = [fix(minute, -23.5, -46.6, course=course) for minute, course in enumerate([359.94, 359.97, 360.0, 0.0])]
    root = ElementTree.parse(write("gpx", table_of(Section("route", "Route", TRACK, rows)), tmp_path)).getroot()
    courses = root.iter("{http://www.garmin.com/xmlschemas/TrackPointExtension/v2}course")
    assert [course.text for course in courses] == ["359.9", "0.0", "0.0", "0.0"]


def test_kml_elements_come_in_the_order_of_the_schema(tmp_path):
    (document,) = ElementTree.parse(write("kml", everything(), tmp_path)).getroot()
    assert [child.tag.rpartition("}")[2] for child in document] == ["name", "Style", *["Folder"] * 3]


def test_kml_speaks_the_readers_units_zone_and_language(tmp_path):
    with override("en"):
        root = ElementTree.parse(write("kml", everything(), tmp_path)).getroot()
    folders = {
        folder.findtext("k:name", namespaces=KML): folder for folder in root.iterfind("k:Document/k:Folder", KML)
    }
    assert list(folders) == ["Route", "Events", "Trips"]
    over = [["179.9,-17.0", "180.0,-17.05"], ["-180.0,-17.05", "-179.9,-17.1"]]
    lines = [line.text.split() for line in folders["Route"].iterfind(".//k:coordinates", KML)]
    assert lines == [["-46.6,-23.5", "-46.5,-23.4"], ["-46.4,-23.3"], *over]
    first = folders["Events"].find("k:Placemark", KML)
    assert first.findtext("k:name", namespaces=KML) == "Ignition on"
    assert first.findtext("k:TimeStamp/k:when", namespaces=KML) == "2026-03-01T12:00:00Z"
    shown = {
        data.findtext("k:displayName", namespaces=KML): data.findtext("k:value", namespaces=KML)
        for data in first.iterfind(".//k:Data", KML)
    }
    assert (shown["Time"], shown["Speed (mph)"]) == ("2026-03-01T09:00:00-03:00", "50.0")
    assert shown["Note"] == NAME.replace("\x07", "")
    trip = folders["Trips"].find("k:Placemark", KML)
    assert trip.findtext("k:TimeSpan/k:end", namespaces=KML) == "2026-03-01T13:00:00Z"
    assert trip.findtext(".//k:coordinates", namespaces=KML).split() == ["-46.6,-23.5", "-46.5,-23.4"]


@pytest.mark.parametrize("format", ["geojson", "gpx", "kml"])
def test_a_track_goes_on_from_chunk_to_chunk(format, tmp_path):
    count = 2 * CHUNK_ROWS
    steps = np.arange(count)
    arrays = [1_772_366_400_000_000 + steps * 1_000_000, -23.5 + steps * 1e-5, -46.6 + steps * 1e-5]
    arrays += [np.full(count, np.nan)] * 3
    chunks = [
        chunk_of(TRACK, [each[half] for each in arrays]) for half in (slice(0, CHUNK_ROWS), slice(CHUNK_ROWS, None))
    ]
    text = write(format, table_of(Section("route", "Route", TRACK, chunks)), tmp_path).read_text()
    if format == "geojson":
        line, *points = json.loads(text)["features"]
        assert ([len(part) for part in line["geometry"]["coordinates"]], len(points)) == ([count], count)
    elif format == "gpx":
        assert [len(segment.points) for segment in gpxpy.parse(text).tracks[0].segments] == [count]
    else:
        (line,) = ElementTree.fromstring(text).iterfind(".//k:coordinates", KML)
        assert len(line.text.split()) == count
