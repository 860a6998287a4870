"""Areas from WKT: standard order, Traccar's order, and texts that are none."""

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.geo.areas import InvalidArea, polygon_geometry
from tasks_app.geo.wkt import area_from_wkt

SQUARE = [[10.0, 50.0], [11.0, 50.0], [11.0, 51.0], [10.0, 51.0], [10.0, 50.0]]
HOLE = [[10.2, 50.2], [10.4, 50.2], [10.4, 50.4], [10.2, 50.2]]


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        (
            "POLYGON ((10 50, 11 50, 11 51, 10 51, 10 50))",
            "lonlat",
            {"type": "Polygon", "coordinates": [SQUARE]},
        ),
        ("polygon((10 50,11 50,11 51,10 51,10 50))", "lonlat", {"type": "Polygon", "coordinates": [SQUARE]}),
        (
            "SRID=4326;POLYGON Z ((10 50 7, 11 50 7, 11 51 7, 10 51 7, 10 50 7))",
            "lonlat",
            {"type": "Polygon", "coordinates": [SQUARE]},
        ),
        ("POLYGON ((10 50, 11 50, 11 51, 10 51))", "lonlat", {"type": "Polygon", "coordinates": [SQUARE]}),
        ("POLYGON ((50 10, 50 11, 51 11, 51 10, 50 10))", "latlon", {"type": "Polygon", "coordinates": [SQUARE]}),
        (
            "POLYGON ((10 50, 11 50, 11 51, 10 51, 10 50), (10.2 50.2, 10.4 50.2, 10.4 50.4, 10.2 50.2))",
            "lonlat",
            {"type": "Polygon", "coordinates": [SQUARE, HOLE]},
        ),
        (
            "MULTIPOLYGON (((10 50, 11 50, 11 51, 10 51, 10 50)), ((20 50, 21 50, 21 51, 20 50)))",
            "lonlat",
            {
                "type": "MultiPolygon",
                "coordinates": [[SQUARE], [[[20.0, 50.0], [21.0, 50.0], [21.0, 51.0], [20.0, 50.0]]]],
            },
        ),
        (
            "CIRCLE (59.932 30.330, 200)",
            "latlon",
            {"type": "Circle", "coordinates": [30.33, 59.932], "radius_meters": 200.0},
        ),
        (
            "CIRCLE(30.33 59.932,2e2)",
            "lonlat",
            {"type": "Circle", "coordinates": [30.33, 59.932], "radius_meters": 200.0},
        ),
        (
            "LINESTRING (-23.6 -46.7, -23.5 -46.6)",
            "latlon",
            {"type": "LineString", "coordinates": [[-46.7, -23.6], [-46.6, -23.5]]},
        ),
    ],
)
def test_it_reads_areas(text, order, expected):
    assert area_from_wkt(text, order=order) == expected


def test_a_corridor_may_be_given_its_width():
    area = area_from_wkt("LINESTRING (1 2, 3 4)", corridor_width_meters=80)
    assert area == {"type": "LineString", "coordinates": [[1.0, 2.0], [3.0, 4.0]], "width_meters": 80}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "POLYGON",
        "POLYGON EMPTY",
        "POLYGON ()",
        "POLYGON (())",
        "POLYGON ((10 50, 11 50))",
        "POLYGON ((10 50, 11 50, 11 51, 10 51, 10 50)",
        "POLYGON ((10 50, 11 50, 11 51, 10 51, 10 50)))",
        "POLYGON ((10 50, 11 50, 11 51, 10 51, 10 50)) x",
        "POLYGON ((10 50 11 50, 11 51, x 51))",
        "POLYGON ((10, 50, 11))",
        "POLYGON ((10 950, 11 50, 11 51, 10 950))",
        "POLYGON ((nan 50, 11 50, 11 51, 10 50))",
        "POLYGON ((1e999 50, 11 50, 11 51, 10 50))",
        "POLYGON ((10 50, 11 51, 11 50, 10 51, 10 50))",
        "SRID=3857;POLYGON ((10 50, 11 50, 11 51, 10 50))",
        "POINT (1 2)",
        "CIRCLE (1 2)",
        "CIRCLE (1 2, -5)",
        "CIRCLE (1 2, 5",
        "LINESTRING (1 2)",
        "LINESTRING (1 2, 1 2)",
        "((((((((((",
        "MULTIPOLYGON " + "(" * 5000,
        "LINESTRING (" + "1 2," * 20_000 + "1 2)",
        "LINESTRING (" + " " * 1_000_001 + ")",
        "LINESTRING (1_0 2, 3 4)",
        "\x00",
    ],
)
def test_it_refuses_what_is_no_area(text):
    with pytest.raises(InvalidArea):
        area_from_wkt(text)


@given(st.floats(-170, 170), st.floats(-80, 80), st.floats(0.001, 5))
def test_it_reads_what_shapely_writes(longitude, latitude, size):
    shape = shapely.box(longitude, latitude, longitude + size, latitude + size)
    area = area_from_wkt(shapely.to_wkt(shape, rounding_precision=-1))
    assert polygon_geometry(area).equals_exact(shape, 1e-9)
