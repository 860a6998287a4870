"""Route: the path of one device as the few positions that draw the same line, and the points worth a name on it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from reports_app.builders.base import check_fix_count, report_device, report_table
from reports_app.models import Report
from reports_app.table import Column, ColumnKind, ReportTable, Row, Section
from tasks_app.queries.drives import Drive, moment_of, read_drive
from tasks_app.queries.routes import simplified_route

MAX_POINTS = 5_000
PATH = [
    Column("fix_time", _("Time"), ColumnKind.DATETIME),
    Column("latitude", _("Latitude"), ColumnKind.LATITUDE),
    Column("longitude", _("Longitude"), ColumnKind.LONGITUDE),
    Column("altitude_meters", _("Altitude"), ColumnKind.ALTITUDE_METERS),
    Column("speed_kph", _("Speed"), ColumnKind.SPEED_KPH),
    Column("course_degrees", _("Course"), ColumnKind.COURSE_DEGREES),
]
KEY_POINTS = [
    Column("point", _("Point"), ColumnKind.LABEL),
    Column("fix_time", _("Time"), ColumnKind.DATETIME),
    Column("latitude", _("Latitude"), ColumnKind.LATITUDE),
    Column("longitude", _("Longitude"), ColumnKind.LONGITUDE),
    Column("duration_seconds", _("Duration"), ColumnKind.DURATION_SECONDS),
    Column("speed_kph", _("Speed"), ColumnKind.SPEED_KPH),
    Column("altitude_meters", _("Altitude"), ColumnKind.ALTITUDE_METERS),
]
START, END, STOP = gettext_noop("Start"), gettext_noop("End"), gettext_noop("Stop")
FASTEST, HIGHEST = gettext_noop("Top speed"), gettext_noop("Highest point")
FARTHEST = {
    "northernmost": gettext_noop("Northernmost point"),
    "southernmost": gettext_noop("Southernmost point"),
    "easternmost": gettext_noop("Easternmost point"),
    "westernmost": gettext_noop("Westernmost point"),
}


def build(report: Report) -> ReportTable:
    """The route of one device."""
    device = report_device(report)
    check_fix_count(report, device)
    points = simplified_route(device.pk, report.range_start, report.range_end, max_points=MAX_POINTS)
    path = (
        [each.fix_time, each.latitude, each.longitude, each.altitude_meters, each.speed_kph, each.course_degrees]
        for each in points
    )
    drive = read_drive(device, report.range_start, report.range_end)
    sections = [
        Section("route", _("Route"), PATH, path),
        Section("key_points", _("Key points"), KEY_POINTS, sorted(_key_points(drive), key=lambda row: row[1])),  # type: ignore[arg-type, return-value]
    ]
    return report_table(report, device.name, sections)


def _key_points(drive: Drive) -> Iterator[Row]:
    """Where it began and ended, stood, and was farthest, highest and fastest."""
    first, end = np.searchsorted(drive.steps.times, [drive.start.timestamp(), drive.end.timestamp()]).tolist()
    places = drive.steps.index[first:end]
    if not len(places):
        return
    fixes = drive.fixes
    yield _point(drive, START, int(places[0]))
    yield _point(drive, END, int(places[-1]))
    for stop in drive.stops:
        yield [STOP, moment_of(stop.started_seconds), stop.latitude, stop.longitude, stop.duration_seconds, None, None]
    latitudes, longitudes = fixes.latitudes[places], np.unwrap(fixes.longitudes[places], period=360.0)
    extremes = (latitudes.argmax(), latitudes.argmin(), longitudes.argmax(), longitudes.argmin())
    for label, place in zip(FARTHEST.values(), extremes, strict=True):
        yield _point(drive, label, int(places[place]))
    for label, values in ((FASTEST, drive.steps.speeds_kph[first:end]), (HIGHEST, fixes.altitudes_meters[places])):
        if not np.isnan(values).all():
            yield _point(drive, label, int(places[np.nanargmax(values)]))


def _point(drive: Drive, label: str, place: int) -> Row:
    fixes = drive.fixes
    return [
        label,
        moment_of(fixes.times_seconds[place]),
        float(fixes.latitudes[place]),
        float(fixes.longitudes[place]),
        None,
        float(fixes.speeds_kph[place]),
        float(fixes.altitudes_meters[place]),
    ]
