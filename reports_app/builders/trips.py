"""Trips: every trip that touches the range, whole."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from reports_app.builders.base import report_device, report_drive, report_table
from reports_app.models import Report
from reports_app.table import Cell, Column, ColumnKind, ReportTable, Row, Section
from tasks_app.geo.figures import METERS_PER_KM
from tasks_app.geo.motion import Trip, mean_kph
from tasks_app.queries.drives import Drive, datetime_of

COLUMNS = [
    Column("started_at", _("Start"), ColumnKind.DATETIME),
    Column("ended_at", _("End"), ColumnKind.DATETIME),
    Column("duration_seconds", _("Duration"), ColumnKind.DURATION_SECONDS),
    Column("distance_km", _("Distance"), ColumnKind.DISTANCE_KM),
    Column("average_speed_kph", _("Average speed"), ColumnKind.SPEED_KPH),
    Column("max_speed_kph", _("Top speed"), ColumnKind.SPEED_KPH),
    Column("start_latitude", _("Start latitude"), ColumnKind.LATITUDE),
    Column("start_longitude", _("Start longitude"), ColumnKind.LONGITUDE),
    Column("end_latitude", _("End latitude"), ColumnKind.LATITUDE),
    Column("end_longitude", _("End longitude"), ColumnKind.LONGITUDE),
]


def build(report: Report) -> ReportTable:
    """Return the trips of one device."""
    device = report_device(report)
    drive = report_drive(report, device)
    rows = [_row(trip, drive) for trip in drive.trips]
    return report_table(report, device.name, [Section("trips", _("Trips"), COLUMNS, rows, totals(drive.trips))])


def totals(trips: list[Trip]) -> list[Cell]:
    """Return the totals: sums, the mean speed over all of the time, the highest speed."""
    seconds, meters = sum(trip.duration_seconds for trip in trips), sum(trip.distance_meters for trip in trips)
    top_kph = max((trip.max_speed_kph for trip in trips), default=0.0)
    average_kph = mean_kph(meters, seconds, top_kph)
    return [None, None, seconds, meters / METERS_PER_KM, average_kph, top_kph, None, None, None, None]


def _row(trip: Trip, drive: Drive) -> Row:
    fixes = drive.fixes
    return [
        datetime_of(trip.started_seconds),
        datetime_of(trip.ended_seconds),
        trip.duration_seconds,
        trip.distance_meters / METERS_PER_KM,
        trip.average_speed_kph,
        trip.max_speed_kph,
        float(fixes.latitudes[trip.start_index]),
        float(fixes.longitudes[trip.start_index]),
        float(fixes.latitudes[trip.end_index]),
        float(fixes.longitudes[trip.end_index]),
    ]
