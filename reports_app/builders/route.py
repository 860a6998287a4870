"""Route: the path of one device, simplified, and its notable points."""

from __future__ import annotations

import numpy as np
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from reports_app.builders.base import report_device, report_drive, report_table
from reports_app.models import Report
from reports_app.table import Column, ColumnKind, ReportTable, Row, Section
from tasks_app.geo.motion import Stop, driven_speeds_kph
from tasks_app.queries.drives import Drive, datetime_of
from tasks_app.queries.positions import Track
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
    Column("passed_at", _("Time"), ColumnKind.DATETIME),
    Column("latitude", _("Latitude"), ColumnKind.LATITUDE),
    Column("longitude", _("Longitude"), ColumnKind.LONGITUDE),
    Column("duration_seconds", _("Duration"), ColumnKind.DURATION_SECONDS),
    Column("speed_kph", _("Speed"), ColumnKind.SPEED_KPH),
    Column("altitude_meters", _("Altitude"), ColumnKind.ALTITUDE_METERS),
]
START, END, STOP = gettext_noop("Start"), gettext_noop("End"), gettext_noop("Stop")


def build(report: Report) -> ReportTable:
    """Return the route of one device."""
    device = report_device(report)
    drive = report_drive(report, device)
    points = simplified_route(device.pk, report.range_start, report.range_end, max_points=MAX_POINTS)
    path = (
        [each.fix_time, each.latitude, each.longitude, each.altitude_meters, each.speed_kph, each.course_degrees]
        for each in points
    )
    sections = [
        Section("route", _("Route"), PATH, path),
        Section("key_points", _("Key points"), KEY_POINTS, _key_points(drive)),
    ]
    return report_table(report, device.name, sections)


def _key_points(drive: Drive) -> list[Row]:
    """Return the start, end, stops, and the farthest, highest and fastest points in time order."""
    first, end = np.searchsorted(drive.steps.times, [drive.start.timestamp(), drive.end.timestamp()]).tolist()
    places = drive.steps.index[first:end]
    if not len(places):
        return []
    fixes = drive.fixes
    latitudes, longitudes = fixes.latitudes[places], np.unwrap(fixes.longitudes[places], period=360.0)
    speeds, altitudes = driven_speeds_kph(drive.steps)[first:end], fixes.altitudes_meters[places]
    named: dict[str, int] = {
        START: 0,
        END: -1,
        gettext_noop("Northernmost point"): int(latitudes.argmax()),
        gettext_noop("Southernmost point"): int(latitudes.argmin()),
        gettext_noop("Easternmost point"): int(longitudes.argmax()),
        gettext_noop("Westernmost point"): int(longitudes.argmin()),
        gettext_noop("Top speed"): int(speeds.argmax()),
    }
    if not np.isnan(altitudes).all():
        named[gettext_noop("Highest point")] = int(np.nanargmax(altitudes))
    points = [
        (float(fixes.times_seconds[places[at]]), _point(fixes, label, places[at], speeds[at]))
        for label, at in named.items()
    ]
    points += [(stop.started_seconds, _stop(stop)) for stop in drive.stops]
    return [row for _seconds, row in sorted(points, key=lambda point: point[0])]


def _stop(stop: Stop) -> Row:
    return [STOP, datetime_of(stop.started_seconds), stop.latitude, stop.longitude, stop.duration_seconds, None, None]


def _point(fixes: Track, label: str, place: int, speed_kph: float) -> Row:
    return [
        label,
        datetime_of(fixes.times_seconds[place]),
        float(fixes.latitudes[place]),
        float(fixes.longitudes[place]),
        None,
        float(speed_kph),
        float(fixes.altitudes_meters[place]),
    ]
