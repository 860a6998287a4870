"""Areas from text: GeoJSON, WKT and KML as files have them, and texts that are none."""

from __future__ import annotations

import json
import time

import pytest

from tasks_app.geo.area_texts import area_from_text
from tasks_app.geo.areas import MAX_POINTS, InvalidArea

SQUARE = [[10.0, 50.0], [11.0, 50.0], [11.0, 51.0], [10.0, 51.0], [10.0, 50.0]]
HOLE = [[10.2, 50.2], [10.4, 50.2], [10.4, 50.4], [10.2, 50.2]]
OTHER = [[20.0, 50.0], [21.0, 50.0], [21.0, 51.0], [20.0, 50.0]]
POLYGON = {"type": "Polygon", "coordinates": [SQUARE]}
FEATURE = {"type": "Feature", "properties": {"name": "Depot"}, "geometry": POLYGON}


def kml(body: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>') -> str:
    placemark = f"<Document><Placemark><name>A &amp; B</name>{body}</Placemark></Document>"
    return f'{head}<kml xmlns="http://www.opengis.net/kml/2.2">{placemark}</kml>'


def ring(points, boundary="outerBoundaryIs") -> str:
    text = " ".join(f"{longitude},{latitude},0" for longitude, latitude in points)
    return f"<{boundary}><LinearRing><coordinates>\n {text}\n</coordinates></LinearRing></{boundary}>"


def polygon(*rings: str) -> str:
    return f"<Polygon>{''.join(rings)}</Polygon>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (json.dumps(POLYGON), POLYGON),
        ("\ufeff\n " + json.dumps(FEATURE), POLYGON),
        (json.dumps({"type": "FeatureCollection", "features": [FEATURE]}), POLYGON),
        (
            json.dumps({"type": "Circle", "coordinates": [10, 50], "radius_meters": 5}),
            {"type": "Circle", "coordinates": [10, 50], "radius_meters": 5},
        ),
        ("POLYGON ((10 50, 11 50, 11 51, 10 51, 10 50))", POLYGON),
        (kml(polygon(ring(SQUARE))), POLYGON),
        (kml(polygon(ring(SQUARE[:-1]))), POLYGON),
        (
            kml(polygon(ring(SQUARE), ring(HOLE, "innerBoundaryIs"))),
            {"type": "Polygon", "coordinates": [SQUARE, HOLE]},
        ),
        (
            kml(f"<MultiGeometry>{polygon(ring(SQUARE))}{polygon(ring(OTHER))}</MultiGeometry>"),
            {"type": "MultiPolygon", "coordinates": [[SQUARE], [OTHER]]},
        ),
        (
            kml("<LineString><coordinates>10,50 11,51</coordinates></LineString>"),
            {"type": "LineString", "coordinates": [[10.0, 50.0], [11.0, 51.0]]},
        ),
    ],
)
def test_areas_are_read_from_files_as_people_have_them(text, expected):
    assert area_from_text(text) == expected


def test_several_polygons_of_geojson_become_one_area():
    features = [FEATURE, {**FEATURE, "geometry": {"type": "MultiPolygon", "coordinates": [[OTHER]]}}]
    area = area_from_text(json.dumps({"type": "FeatureCollection", "features": features}))
    assert area == {"type": "MultiPolygon", "coordinates": [[SQUARE], [OTHER]]}


BOMB = (
    "<!DOCTYPE kml [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("   \n", "empty"),
        ("nonsense 🚚 \u202e", "no WKT"),
        ("{", "cannot be read"),
        ("{}", "type must be"),
        ("[1, 2]", "no WKT"),
        ('{"type": "Feature"}', "must be a geometry"),
        ('{"type": "FeatureCollection", "features": 7}', "no list"),
        ('{"type": "FeatureCollection", "features": []}', "no shape"),
        ('{"type": "Polygon", "coordinates": [[[NaN, 1], [1, 1], [1, 2], [NaN, 1]]]}', "NaN"),
        ('{"type": "Polygon", "coordinates": [[[1e999, 1], [1, 1], [1, 2], [1e999, 1]]]}', "longitude"),
        ('{"type": "MultiPolygon", "coordinates": 5}', "list of polygons"),
        ('{"type":"Feature","geometry":' * 5000, "read|deep"),
        (
            json.dumps({"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1, 2]}]}),
            "type must",
        ),
        ("<html><p>", "KML cannot be read"),
        ("<kml/>", "no shape"),
        (kml("<LineString><coordinates>a,b</coordinates></LineString>"), "“a,b”"),
        (kml("<LineString><coordinates>nan,nan 1,1</coordinates></LineString>"), "longitude"),
        (kml("<LineString><coordinates>10 50</coordinates></LineString>"), "“10”"),
        (kml(polygon()), "list of rings"),
        # What has no coordinates has not those of the shape before it.
        (
            kml(f"{polygon(ring(SQUARE))}<Polygon><outerBoundaryIs><LinearRing/></outerBoundaryIs></Polygon>"),
            "At least 4",
        ),
        (kml(polygon(ring([[0, 0], [1, 1], [1, 0], [0, 1]]))), "crosses itself"),
        (kml("<a>" * 100 + "</a>" * 100), "deeply"),
        (kml(polygon(ring([[n % 90, n % 80] for n in range(MAX_POINTS + 1)]))), "at most"),
        (kml("&i;", BOMB), "DOCTYPE"),
        (kml("&x;", '<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), "DOCTYPE"),
        ("{" + " " * 2_000_000, "at most"),
    ],
)
def test_a_text_that_is_no_area_is_refused_with_the_reason_at_once(text, reason):
    before = time.monotonic()
    with pytest.raises(InvalidArea, match=reason):
        area_from_text(text)
    assert time.monotonic() - before < 5
