"""Detailed: every position of one device, with distance, speed and course derived from the steps between them.

Read and computed a day at a time, so that a report of any length takes the memory of its busiest day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from reports_app.builders.base import check_row_count, odometer_meters, report_days, report_device, report_table
from reports_app.models import Report
from reports_app.table import (
    CHUNK_ROWS,
    Cell,
    Chunk,
    Coded,
    Column,
    ColumnData,
    ColumnKind,
    ReportTable,
    Section,
    chunk_of,
    part_of,
)
from tasks_app.geo.distance import initial_bearing_degrees
from tasks_app.geo.figures import METERS_PER_KM, Figures, figures_of_parts, total
from tasks_app.geo.motion_rules import MotionRules, motion_rules
from tasks_app.geo.speed import MPS_TO_KPH
from tasks_app.geo.steps import Steps
from tasks_app.models import Device, Position
from tasks_app.queries.drives import columns_of, context_of, steps_of
from tasks_app.queries.fleet_geofences import FleetGeofences, geofences_of
from tasks_app.queries.positions import FloatArray, Track, track_with
from tasks_app.services.positions import MIN_COURSE_METERS

COLUMNS = [
    Column("fix_time", _("Time"), ColumnKind.DATETIME),
    Column("latitude", _("Latitude"), ColumnKind.LATITUDE),
    Column("longitude", _("Longitude"), ColumnKind.LONGITUDE),
    Column("altitude_meters", _("Altitude"), ColumnKind.ALTITUDE_METERS),
    Column("speed_kph", _("Speed"), ColumnKind.SPEED_KPH),
    Column("mean_speed_kph", _("Speed since the last position"), ColumnKind.SPEED_KPH),
    Column("course_degrees", _("Course"), ColumnKind.COURSE_DEGREES),
    Column("distance_km", _("Distance since the last position"), ColumnKind.DISTANCE_KM),
    Column("odometer_km", _("Odometer"), ColumnKind.DISTANCE_KM),
    Column("motion", _("Motion"), ColumnKind.LABEL),
    Column("ignition", _("Ignition"), ColumnKind.LABEL),
    Column("geofences", _("Geofences")),
    Column("battery_percent", _("Battery"), ColumnKind.PERCENT),
    Column("accuracy_meters", _("Accuracy (m)"), ColumnKind.NUMBER),
]
MOTIONS = [gettext_noop("Standing"), gettext_noop("Moving"), gettext_noop("Not believable")]
STANDING, MOVING, OUTLIER = 0, 1, 2
IGNITIONS = [gettext_noop("Off"), gettext_noop("On")]


@dataclass
class _Sums:
    """The odometer so far, and the figures of the row of totals, complete after the last position: those of the whole
    range, as a summary has them, with the parts of the steps that cross its ends."""

    rules: MotionRules
    odometer_meters: float
    figures: Figures = field(default_factory=Figures)

    def add(self, meters: FloatArray, figures: Figures) -> None:
        self.odometer_meters += float(meters.sum())
        self.figures = total([self.figures, figures])

    def totals(self) -> list[Cell]:
        known = {"distance_km": self.figures.distance_km, "speed_kph": self.figures.max_speed_kph}
        return [known.get(column.key) for column in COLUMNS]


def build(report: Report) -> ReportTable:
    """Return the positions of one device."""
    device = report_device(report)
    stored = Position.objects.filter(device=device, fix_time__gte=report.range_start, fix_time__lt=report.range_end)
    check_row_count(stored.count())
    sums = _Sums(motion_rules(device.kind), odometer_meters(device, report.range_start) or 0.0)
    rows = _chunks(report, device, sums)
    return report_table(report, device.name, [Section("positions", _("Positions"), COLUMNS, rows, sums.totals)])


def _chunks(report: Report, device: Device, sums: _Sums) -> Iterator[Chunk]:
    fences = geofences_of([device.fleet_id])[device.fleet_id]
    for _day, start, end in report_days(report):
        day = chunk_of(COLUMNS, _columns(report, device, start, end, fences, sums))
        for first in range(0, day.row_count, CHUNK_ROWS):
            yield part_of(day, first, first + CHUNK_ROWS)


def _columns(
    report: Report, device: Device, start: datetime, end: datetime, fences: FleetGeofences, sums: _Sums
) -> list[ColumnData]:
    """Return the columns of the positions in `[start, end)`, a part of the report's range, and add them to the sums."""
    low, high = context_of(device.pk, start, end, sums.rules)
    fixes, battery = track_with(device.pk, low, high, "battery_percent")
    steps = steps_of(fixes, device)
    found = _since_the_last(fixes, steps)
    part = slice(*np.searchsorted(fixes.times_seconds, [start.timestamp(), end.timestamp()]).tolist())
    way = _since(
        report.range_start.timestamp(), fixes.times_seconds[part], found.before_seconds[part], found.meters[part]
    )
    odometer = sums.odometer_meters + np.cumsum(way)
    (figures,) = figures_of_parts(columns_of(fixes), steps, [start.timestamp(), end.timestamp()])
    sums.add(way, figures)
    latitudes, longitudes = fixes.latitudes[part], fixes.longitudes[part]
    return [
        np.rint(fixes.times_seconds[part] * 1e6).astype(np.int64),
        latitudes,
        longitudes,
        fixes.altitudes_meters[part],
        fixes.speeds_kph[part],
        found.mean_kph[part],
        found.courses_degrees[part],
        found.meters[part] / METERS_PER_KM,
        odometer / METERS_PER_KM,
        Coded(found.motion[part], MOTIONS),
        Coded(np.nan_to_num(fixes.ignition[part], nan=-1.0).astype(np.int8), IGNITIONS),
        _inside(fences, latitudes, longitudes),
        battery[part],
        fixes.accuracies_meters[part],
    ]


@dataclass(frozen=True, slots=True)
class _Way:
    """At each fix, of the step that led there: the way that counts, the mean speed, whether it was driving, and the time
    of the fix it began at; and at the fix the course, by the way where none was sent."""

    meters: FloatArray
    mean_kph: FloatArray
    motion: npt.NDArray[np.int8]
    before_seconds: FloatArray
    courses_degrees: FloatArray


def _since_the_last(fixes: Track, steps: Steps) -> _Way:
    meters, mean_kph = np.zeros(len(fixes)), np.full(len(fixes), np.nan)
    motion = np.full(len(fixes), OUTLIER, dtype=np.int8)
    motion[steps.index[:1]] = STANDING
    motion[steps.index[1:]] = steps.moving
    meters[steps.index[1:]] = steps.driven_meters + steps.meters * (steps.moved_gap & ~steps.jump)
    usable = ~steps.gap & ~steps.jump & (steps.seconds > 0)
    mean_kph[steps.index[1:]] = np.where(usable, steps.meters / np.where(usable, steps.seconds, 1.0), np.nan)
    before_seconds = fixes.times_seconds.copy()
    before_seconds[steps.index[1:]] = fixes.times_seconds[steps.index[:-1]]
    return _Way(meters, mean_kph * MPS_TO_KPH, motion, before_seconds, _courses(fixes, steps))


def _courses(fixes: Track, steps: Steps) -> FloatArray:
    """Return the course that was sent, else the direction from the fix before if that is far enough away."""
    places = steps.index[1:]
    is_missing = np.isnan(fixes.courses_degrees[places])
    rows = np.flatnonzero(is_missing & ~steps.gap & ~steps.jump & (steps.meters >= MIN_COURSE_METERS))
    if not len(rows):
        return fixes.courses_degrees
    courses = fixes.courses_degrees.copy()
    latitudes, longitudes = steps.latitudes, steps.longitudes
    courses[places[rows]] = initial_bearing_degrees(
        latitudes[rows], longitudes[rows], latitudes[rows + 1], longitudes[rows + 1]
    )
    return courses


def _since(start_seconds: float, times: FloatArray, before: FloatArray, meters: FloatArray) -> FloatArray:
    """Return the distances of the steps; of one that began before the range the part within it, 0 across a gap."""
    way = meters.copy()
    cut = (before < start_seconds) & (times - before <= MotionRules.max_gap_seconds)
    way[cut] *= (times[cut] - start_seconds) / (times[cut] - before[cut])
    return way


def _inside(fences: FleetGeofences, latitudes: FloatArray, longitudes: FloatArray) -> Coded:
    """Return the names of the geofences that contain each fix."""
    inside = fences.index.inside(latitudes, longitudes)
    anywhere = np.flatnonzero(inside.any(axis=1))
    codes = np.full(len(latitudes), -1, dtype=np.int32)
    sets, codes[anywhere] = np.unique(np.packbits(inside[anywhere], axis=1), axis=0, return_inverse=True)
    members = np.unpackbits(sets, axis=1, count=len(fences.names)) if len(sets) else sets
    return Coded(codes, [", ".join(fences.names[column] for column in np.flatnonzero(row)) for row in members])
