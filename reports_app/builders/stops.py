"""Stops: every stop that touches the range, whole; idle is the part of it with the engine on."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from reports_app.builders.base import report_device, report_table
from reports_app.models import Report
from reports_app.table import Column, ColumnKind, ReportTable, Row, Section
from tasks_app.geo.figures import figures_of_parts
from tasks_app.geo.motion import Stop
from tasks_app.queries.drives import Drive, columns_of, moment_of, read_drive

COLUMNS = [
    Column("started_at", _("Start"), ColumnKind.DATETIME),
    Column("ended_at", _("End"), ColumnKind.DATETIME),
    Column("duration_seconds", _("Duration"), ColumnKind.DURATION_SECONDS),
    Column("idle_seconds", _("of it idle"), ColumnKind.DURATION_SECONDS),
    Column("latitude", _("Latitude"), ColumnKind.LATITUDE),
    Column("longitude", _("Longitude"), ColumnKind.LONGITUDE),
]


def build(report: Report) -> ReportTable:
    """The stops of one device."""
    device = report_device(report)
    drive = read_drive(device, report.range_start, report.range_end)
    idle_seconds = [_idle_seconds(stop, drive) for stop in drive.stops]
    rows = [_row(stop, idle) for stop, idle in zip(drive.stops, idle_seconds, strict=True)]
    totals = [None, None, sum(stop.duration_seconds for stop in drive.stops), sum(idle_seconds), None, None]
    return report_table(report, device.name, [Section("stops", _("Stops"), COLUMNS, rows, totals)])


def _idle_seconds(stop: Stop, drive: Drive) -> float:
    fixes = columns_of(drive.fixes).part(slice(stop.start_index, stop.end_index + 1))
    return figures_of_parts(fixes, [stop.started_seconds, stop.ended_seconds])[0].idle_seconds


def _row(stop: Stop, idle_seconds: float) -> Row:
    return [
        moment_of(stop.started_seconds),
        moment_of(stop.ended_seconds),
        stop.duration_seconds,
        idle_seconds,
        stop.latitude,
        stop.longitude,
    ]
