import numpy as np
import pytest

from tasks_app.geo.areas import validate_members
from tasks_app.geo.geofence import GeofenceIndex, InvalidArea, validate_area

SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]]}
RING = {
    "type": "Polygon",
    "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]], [[1, 1], [3, 1], [3, 3], [1, 3], [1, 1]]],
}
TWO = {"type": "MultiPolygon", "coordinates": [SQUARE["coordinates"], [[[10, 0], [11, 0], [11, 1], [10, 0]]]]}
CIRCLE = {"type": "Circle", "coordinates": [0, 0], "radius_meters": 1000}
ROAD = {"type": "LineString", "coordinates": [[0, 0], [1, 0]], "width_meters": 200}
DATELINE_CIRCLE = {"type": "Circle", "coordinates": [179.999, 0], "radius_meters": 1000}
POLE_CIRCLE = {"type": "Circle", "coordinates": [0, 89.99], "radius_meters": 5000}


def inside(area, latitude, longitude):
    return bool(GeofenceIndex([(1, area)]).inside([latitude], [longitude])[0, 0])


@pytest.mark.parametrize(
    ("area", "latitude", "longitude", "expected"),
    [
        (SQUARE, 2, 2, True),
        (SQUARE, 2, 5, False),
        (SQUARE, 0, 2, True),  # on the border
        (SQUARE, 4, 4, True),  # on a corner
        (SQUARE, np.nan, 2, False),
        (RING, 2, 2, False),  # in the hole
        (RING, 0.5, 0.5, True),
        (TWO, 2, 2, True),
        (TWO, 0.1, 10.9, True),
        (TWO, 2, 10.5, False),
        (CIRCLE, 0.00899, 0, True),  # 999.6 m north
        (CIRCLE, 0.00900, 0, False),  # 1000.8 m north
        (CIRCLE, 0, -0.00899, True),
        (CIRCLE, 0.0089, 0.0089, False),  # in the box, not in the circle
        (ROAD, 0.00089, 0.5, True),  # 99 m beside the middle
        (ROAD, 0.00091, 0.5, False),  # 101 m
        (ROAD, 0, 1.00089, True),  # the end is round
        (ROAD, 0, 1.00091, False),
        (DATELINE_CIRCLE, 0, -179.9995, True),
        (DATELINE_CIRCLE, 0, 179.995, True),
        (DATELINE_CIRCLE, 0, -179.98, False),
        (POLE_CIRCLE, 89.99, 180, True),  # 2.2 km away across the pole
        (POLE_CIRCLE, 89.9, 0, False),
    ],
)
def test_it_knows_what_is_inside(area, latitude, longitude, expected):
    assert inside(area, latitude, longitude) is expected


def test_it_answers_a_matrix_with_one_column_per_geofence_in_the_given_order():
    index = GeofenceIndex([(7, CIRCLE), (3, SQUARE), (9, ROAD)])
    matrix = index.inside([0.0, 3.0, -1.0], [0.0, 3.0, 0.0])
    assert index.ids == (7, 3, 9)
    assert matrix.tolist() == [[True, True, True], [False, True, False], [False, False, False]]


@pytest.mark.parametrize("areas", [[], [(1, SQUARE)]])
def test_it_answers_an_empty_matrix_for_no_fixes_or_no_geofences(areas):
    index = GeofenceIndex(areas)
    assert index.inside([], []).shape == (0, len(areas))
    assert index.inside([1.0], [1.0]).shape == (1, len(areas))


@pytest.mark.parametrize(
    ("area", "latitude", "longitude", "meters"),
    [
        (SQUARE, 0.01, 2, 1111.95),
        (SQUARE, -0.01, 2, 1111.95),
        (RING, 2, 1.5, 0.5 * 111_195.08 * np.cos(np.radians(2))),  # inside the hole: to its edge
        (CIRCLE, 0, 0, 1000),
        (CIRCLE, 0.01, 0, 111.95),
        (ROAD, 0, 0.5, 100),
        (ROAD, 0.01, 0.5, 1011.95),
    ],
)
def test_it_measures_the_way_to_the_border(area, latitude, longitude, meters):
    found = GeofenceIndex([(1, area)]).boundary_distance_meters(0, [latitude], [longitude])
    assert found[0] == pytest.approx(meters, rel=1e-3)


def test_it_measures_many_points_against_many_segments_in_chunks():
    turn = np.linspace(0, 2 * np.pi, 3001)
    ring = [[float(np.cos(t)), float(np.sin(t))] for t in turn[:-1]]
    index = GeofenceIndex([(1, {"type": "Polygon", "coordinates": [[*ring, ring[0]]]})])
    found = index.boundary_distance_meters(0, np.zeros(2000), np.zeros(2000))
    assert np.allclose(found, 111_195.08, rtol=1e-4)


@pytest.mark.parametrize(
    ("area", "reason"),
    [
        (None, "JSON object"),
        ([], "JSON object"),
        ({}, "type must be"),
        ({"type": ["Polygon"]}, "type must be"),
        ({"type": "Point", "coordinates": [0, 0]}, "type must be"),
        ({"type": "Polygon"}, "list of rings"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0]]]}, "At least 4"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}, "closed"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}, "crosses itself"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [2, 2], [0, 0]]]}, "crosses itself"),
        ({"type": "Polygon", "coordinates": [[[-170, 0], [170, 0], [170, 1], [-170, 0]]]}, "antimeridian"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, "0"], [1, 1], [0, 0]]]}, "latitude"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [181, 0], [1, 1], [0, 0]]]}, "longitude"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 91], [1, 1], [0, 0]]]}, "latitude"),
        ({"type": "Polygon", "coordinates": [[[0, 0]] * 10_001]}, "at most 10000"),
        ({"type": "MultiPolygon", "coordinates": []}, "list of polygons"),
        ({"type": "Circle", "coordinates": [0, 0]}, "radius_meters"),
        ({"type": "Circle", "coordinates": [0, 0], "radius_meters": True}, "radius_meters"),
        ({"type": "Circle", "coordinates": [0, 0], "radius_meters": 0}, "radius_meters"),
        ({"type": "Circle", "coordinates": [0, 0], "radius_meters": float("nan")}, "radius_meters"),
        ({"type": "Circle", "coordinates": [0, 0], "radius_meters": 10**400}, "radius_meters"),
        ({"type": "Circle", "coordinates": [float("nan"), 0], "radius_meters": 5}, "longitude"),
        ({"type": "Circle", "coordinates": "00", "radius_meters": 5}, "pair"),
        ({"type": "LineString", "coordinates": [[0, 0]]}, "At least 2"),
        ({"type": "LineString", "coordinates": [[0, 0], [0, 0]]}, "different"),
        ({"type": "LineString", "coordinates": [[0, 0], [1, 0]], "width_meters": -1}, "width_meters"),
    ],
)
def test_it_refuses_an_area_that_cannot_be_one(area, reason):
    with pytest.raises(InvalidArea, match=reason):
        validate_area(area)


@pytest.mark.parametrize(
    ("area", "reason"),
    [
        ({**ROAD, "width": 200}, "LineString has no width"),
        ({**ROAD, "radius_meters": "abc"}, "LineString has no radius_meters"),
        ({**SQUARE, "width_meters": 5, "crs": {}}, "Polygon has no crs, width_meters"),
        ({**CIRCLE, "radius": 5}, "Circle has no radius"),
    ],
)
def test_it_names_members_that_would_be_left_aside(area, reason):
    with pytest.raises(InvalidArea, match=reason):
        validate_members(area)


@pytest.mark.parametrize("area", [SQUARE, RING, TWO, CIRCLE, ROAD, {**TWO, "bbox": [0, 0, 11, 4]}])
def test_members_with_a_meaning_are_taken(area):
    validate_members(area)


@pytest.mark.parametrize("area", [SQUARE, RING, TWO, CIRCLE, ROAD, DATELINE_CIRCLE, POLE_CIRCLE])
def test_it_accepts_what_it_documents(area):
    validate_area(area)


def test_the_nearest_geofence_is_found_by_its_border():
    def circle(longitude: float) -> dict:
        return {"type": "Circle", "coordinates": [longitude, 0.0], "radius_meters": 1000.0}

    # Its box is nearer than its line, which runs from the south-west to the north-east.
    road = {"type": "LineString", "coordinates": [[-1.0, -3.0], [1.0, -1.0]], "width_meters": 10.0}
    index = GeofenceIndex([(1, circle(2.0)), (2, circle(0.5)), (3, road)])
    column, meters = index.nearest(0.0, 0.0)
    assert index.ids[column] == 2
    assert meters == pytest.approx(0.5 * 111_195 - 1000, rel=0.01)
    assert index.nearest(-1.9, 0.0)[0] == 2
    assert GeofenceIndex([]).nearest(0.0, 0.0) is None


def test_the_nearest_geofence_is_that_of_all_distances():
    generator = np.random.default_rng(7)
    areas = [
        (number, {"type": "Circle", "coordinates": [float(x), float(y)], "radius_meters": float(radius)})
        for number, (x, y, radius) in enumerate(
            zip(
                generator.uniform(-5, 5, 40),
                generator.uniform(-5, 5, 40),
                generator.uniform(10, 50_000, 40),
                strict=True,
            )
        )
    ]
    index = GeofenceIndex(areas)
    for latitude, longitude in generator.uniform(-6, 6, (30, 2)).tolist():
        every = [float(index.boundary_distance_meters(column, [latitude], [longitude])[0]) for column in range(40)]
        if not index.inside([latitude], [longitude]).any():
            assert index.nearest(latitude, longitude)[1] == pytest.approx(min(every), rel=1e-3)
