"""Areas that are valid and hardly meant are doubted, others are not."""

from __future__ import annotations

import numpy as np
import pytest

from tasks_app.geo.area_doubts import AreaDoubt, doubt_about

SAO_PAULO, CAMPINAS = (-23.55, -46.63), (-22.9, -47.06)
BRAZIL = {"type": "Polygon", "coordinates": [[[-74, -34], [-34, -34], [-34, 5], [-74, 5], [-74, -34]]]}


def circle(longitude: float, latitude: float, radius_meters: float = 100.0) -> dict:
    return {"type": "Circle", "coordinates": [longitude, latitude], "radius_meters": radius_meters}


@pytest.mark.parametrize(
    ("area", "doubt"),
    [
        (circle(-46.63, -23.55), None),
        # 80 km away.
        (circle(-47.06, -22.9), None),
        # Another continent.
        (circle(10, 50), AreaDoubt.FAR),
        # Latitude first.
        (circle(-23.55, -46.63), AreaDoubt.SWAPPED),
        # Its edge is near, or the devices are inside.
        (circle(-45.0, -23.55, 90_000.0), None),
        (BRAZIL, None),
        # A radius of what is no circle says nothing.
        ({"type": "LineString", "coordinates": [[10, 50], [11, 50]], "radius_meters": "wide"}, AreaDoubt.FAR),
        # A road whose other end is near.
        ({"type": "LineString", "coordinates": [[-60, -10], [-46.6, -23.5]], "width_meters": 50}, None),
        ({"type": "LineString", "coordinates": [[-10, -60], [-23.5, -46.6]], "width_meters": 50}, AreaDoubt.SWAPPED),
        # Swapped it would be no place on the earth.
        (circle(100, -23.55), AreaDoubt.FAR),
        ({"type": "MultiPolygon", "coordinates": [[[[1, 1], [2, 1], [2, 2], [1, 1]]], BRAZIL["coordinates"]]}, None),
    ],
)
def test_an_area_is_doubted_for_a_reason(area, doubt):
    assert doubt_about(area, [SAO_PAULO[0]], [SAO_PAULO[1]]) is doubt


def test_one_near_device_is_enough():
    assert doubt_about(circle(10, 50), [SAO_PAULO[0], 50.2], [SAO_PAULO[1], 10.2]) is None


def test_without_devices_nothing_is_doubted():
    assert doubt_about(circle(10, 50), [], []) is None


def test_many_points_and_devices_are_compared_in_a_moment():
    angles = np.linspace(0, 2 * np.pi, 9_999)
    ring = np.column_stack([10 + np.cos(angles), 50 + np.sin(angles)]).tolist()
    area = {"type": "Polygon", "coordinates": [[*ring[:-1], ring[0]]]}
    assert doubt_about(area, [CAMPINAS[0]] * 10_000, [CAMPINAS[1]] * 10_000) is AreaDoubt.FAR
