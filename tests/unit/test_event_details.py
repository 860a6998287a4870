"""Descriptions of events in their list."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation

from tasks_app.geo.units import DistanceUnit, Units
from tasks_app.web.event_details import event_details

CASES: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"geofence": "Depot", "speed_kph": 23.84}, "24 km/h"),
    ({"speed_kph": 105.8, "speed_limit_kph": 90.0}, "106 km/h · limit 90 km/h"),
    (
        {"speed_limit_kph": 90, "peak_kph": 107.9, "started_at": "2026-11-25T18:51:57+00:00", "duration_seconds": 81.0},
        "peak 108 km/h · limit 90 km/h · 1 min 21 s",
    ),
    ({"alarm": "sos"}, "sos"),
    ({"alarm": "sos", "last_fix_at": "2026-11-25T10:00:00+00:00"}, "sos · last known place of 25 Nov 2026, 10:00:00"),
    ({"result": "OK"}, "OK"),
    ({"battery_percent": 12.3}, "battery 12 %"),
    ({"offline_minutes": 75.0}, "silent for 1 h 15 min"),
    (
        {"distance_meters": 1234567.0, "duration_seconds": 3600.0, "max_speed_kph": 80, "average_speed_kph": 31.2},
        "1,234.6 km · 1 h 0 min · average 31 km/h · at most 80 km/h",
    ),
    (
        {"plan_id": 1, "plan": "Oil", "remaining": {"kilometers": -1200.4, "days": 3.0}},
        "Oil · 1,200 km over, 3 days left",
    ),
    ({"speed_kph": None}, ""),
]


@pytest.mark.parametrize(("data", "words"), CASES)
def test_it_says_the_quantities_with_their_units(data: dict[str, Any], words: str) -> None:
    assert " · ".join(event_details(data)) == words


def test_what_is_left_of_an_interval_is_in_the_readers_unit() -> None:
    data = {"remaining": {"kilometers": 161.0, "engine_hours": 1.2, "days": -1.0}}
    assert event_details(data, Units(distance=DistanceUnit.MI)) == ["100 mi left, 1 hour left, 1 day over"]


def test_it_writes_numbers_as_the_reader_does() -> None:
    with translation.override("pt-br"):
        assert event_details({"distance_meters": 1234567.0}) == ["1.234,6 km"]
