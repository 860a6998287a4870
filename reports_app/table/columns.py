"""Columns of reports: key, title, and kind with its unit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise

Text = str | Promise


class ColumnKind(StrEnum):
    """The kind of a column's cells, with their unit."""

    TEXT = "text"
    LABEL = "label"
    INTEGER = "integer"
    NUMBER = "number"
    DISTANCE_KM = "distance_km"
    SPEED_KPH = "speed_kph"
    ALTITUDE_METERS = "altitude_meters"
    VOLUME_LITERS = "volume_liters"
    COURSE_DEGREES = "course_degrees"
    DURATION_SECONDS = "duration_seconds"
    PERCENT = "percent"
    LATITUDE = "latitude"
    LONGITUDE = "longitude"
    DATETIME = "datetime"
    DATE = "date"


TEXT_KINDS = frozenset({ColumnKind.TEXT, ColumnKind.LABEL})
TIME_KINDS = frozenset({ColumnKind.DATETIME, ColumnKind.DATE})

# Decimals kept of each kind: what the measurement can carry (a sixth decimal of a degree is 11 cm).
DECIMALS = {
    ColumnKind.INTEGER: 0,
    ColumnKind.NUMBER: 3,
    ColumnKind.DISTANCE_KM: 3,
    ColumnKind.SPEED_KPH: 1,
    ColumnKind.ALTITUDE_METERS: 1,
    ColumnKind.VOLUME_LITERS: 2,
    ColumnKind.COURSE_DEGREES: 1,
    ColumnKind.DURATION_SECONDS: 0,
    ColumnKind.PERCENT: 1,
    ColumnKind.LATITUDE: 6,
    ColumnKind.LONGITUDE: 6,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `key` is its stable name for programs; `title` is for people and contains no unit: exporters add the
    unit of the display settings."""

    key: str
    title: Text
    kind: ColumnKind = ColumnKind.TEXT
