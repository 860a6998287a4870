"""Route: every position of one device in the range."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from reports_app.builders.base import check_row_count, report_device, report_table
from reports_app.models import Report
from reports_app.table import Column, ColumnKind, ReportTable, Row, Section
from tasks_app.queries.drives import moment_of
from tasks_app.queries.positions import Track, track

COLUMNS = [
    Column("fix_time", _("Time"), ColumnKind.DATETIME),
    Column("latitude", _("Latitude"), ColumnKind.LATITUDE),
    Column("longitude", _("Longitude"), ColumnKind.LONGITUDE),
    Column("altitude_meters", _("Altitude (m)"), ColumnKind.ALTITUDE_METERS),
    Column("speed_kph", _("Speed (km/h)"), ColumnKind.SPEED_KPH),
    Column("course_degrees", _("Course (°)"), ColumnKind.COURSE_DEGREES),
    Column("ignition", _("Ignition"), ColumnKind.LABEL),
]
IGNITION = {1.0: gettext_noop("On"), 0.0: gettext_noop("Off")}
CHUNK_ROWS = 10_000


def build(report: Report) -> ReportTable:
    """The positions of one device."""
    device = report_device(report)
    found = track(device.pk, report.range_start, report.range_end)
    check_row_count(len(found))
    return report_table(report, device.name, [Section("route", _("Route"), COLUMNS, _rows(found))])


def _rows(found: Track) -> Iterator[Row]:
    """Rows in chunks: Python numbers of a million fixes at once would take ten times the arrays' memory."""
    columns = (
        found.times_seconds,
        found.latitudes,
        found.longitudes,
        found.altitudes_meters,
        found.speeds_kph,
        found.courses_degrees,
        found.ignition,
    )
    for start in range(0, len(found), CHUNK_ROWS):
        parts = [np.asarray(column[start : start + CHUNK_ROWS], dtype=np.float64).tolist() for column in columns]
        for seconds, *measured, ignition in zip(*parts, strict=True):
            yield [moment_of(seconds), *measured, IGNITION.get(ignition)]
