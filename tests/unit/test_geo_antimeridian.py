"""Around the 180th meridian, where 180 and -180 degrees are the same place."""

from __future__ import annotations

import numpy as np
import pytest

from tasks_app.geo.antimeridian import crossing_latitudes, median_longitude, unwrapped_longitudes, wrapped_longitude
from tasks_app.geo.motion import detect_stops
from tasks_app.geo.motion_rules import motion_rules

NAN = float("nan")


@pytest.mark.parametrize(
    ("longitude", "expected"), [(180, 180), (-180, -180), (0, 0), (181, -179), (-180.5, 179.5), (540.5, -179.5)]
)
def test_a_longitude_is_brought_within_the_map(longitude, expected):
    assert wrapped_longitude(longitude) == expected


@pytest.mark.parametrize(
    ("longitudes", "expected"),
    [
        ([179.999, -179.999], 180),
        ([179.99, 179.995, -179.995], 179.995),
        ([179.99, -179.995, -179.99], -179.995),
        ([180, -180, 180, -180], 180),
        ([-0.1, 0.1], 0),
        ([-46.6], -46.6),
    ],
)
def test_the_middle_of_places_lies_between_them(longitudes, expected):
    found = median_longitude(np.array(longitudes, dtype=float))
    assert abs(found) <= 180
    assert abs(unwrapped_longitudes(found, expected) - expected) < 1e-9


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ((10, 179.9, 20, -179.9), 15),
        ((10, -179.7, 20, 179.9), 17.5),
        ((10, 180, 20, -179.9), 10),
        ((10, 180, 10, -180), 10),
        ((10, 90, 20, -90), NAN),
        ((10, 0, 20, 1), NAN),
        ((90, 179, 90, -179), 90),
    ],
)
def test_a_way_meets_the_meridian_between_its_ends(way, expected):
    assert crossing_latitudes(*(np.array([value], dtype=float) for value in way)) == pytest.approx(
        expected, nan_ok=True
    )


@pytest.mark.parametrize("kind", ["car", "phone"])
def test_a_stop_on_the_meridian_is_there(kind):
    # Ten fixes on each side, in turn.
    longitudes = np.where(np.arange(20) % 2, 179.99999, -179.99999)
    (stop,) = detect_stops(np.arange(20) * 30.0, np.full(20, -17.0), longitudes, np.zeros(20), rules=motion_rules(kind))
    assert abs(stop.longitude) == pytest.approx(180, abs=2e-5)
    assert stop.latitude == -17
