"""Stops: every stop that touches the range, whole; idle where the engine ran for most of it, else parked."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from reports_app.builders.base import report_device, report_drive, report_table
from reports_app.models import Report
from reports_app.table import Column, ColumnKind, ReportTable, Row, Section
from tasks_app.geo.figures import Figures
from tasks_app.geo.motion import Stop
from tasks_app.queries.drives import Drive, datetime_of

COLUMNS = [
    Column("started_at", _("Start"), ColumnKind.DATETIME),
    Column("ended_at", _("End"), ColumnKind.DATETIME),
    Column("kind", _("Kind"), ColumnKind.LABEL),
    Column("duration_seconds", _("Duration"), ColumnKind.DURATION_SECONDS),
    Column("idle_seconds", _("of it idle"), ColumnKind.DURATION_SECONDS),
    Column("engine_seconds", _("Engine on"), ColumnKind.DURATION_SECONDS),
    Column("latitude", _("Latitude"), ColumnKind.LATITUDE),
    Column("longitude", _("Longitude"), ColumnKind.LONGITUDE),
]


IDLE, PARKED = gettext_noop("Idle"), gettext_noop("Parked")


def build(report: Report) -> ReportTable:
    """Return the stops of one device."""
    device = report_device(report)
    drive = report_drive(report, device)
    figures = _figures(drive)
    rows = [_row(stop, each) for stop, each in zip(drive.stops, figures, strict=True)]
    idle, engine = sum(each.idle_seconds for each in figures), sum(each.engine_seconds for each in figures)
    totals = [None, None, None, sum(stop.duration_seconds for stop in drive.stops), idle, engine, None, None]
    return report_table(report, device.name, [Section("stops", _("Stops"), COLUMNS, rows, totals)])


def _figures(drive: Drive) -> list[Figures]:
    """Return the figures of each stop: of every second part, as the others lie between the stops."""
    edges = [datetime_of(second) for stop in drive.stops for second in (stop.started_seconds, stop.ended_seconds)]
    return drive.figures(edges)[::2] if edges else []


def _row(stop: Stop, figures: Figures) -> Row:
    return [
        datetime_of(stop.started_seconds),
        datetime_of(stop.ended_seconds),
        IDLE if figures.idle_seconds * 2 > stop.duration_seconds else PARKED,
        stop.duration_seconds,
        figures.idle_seconds,
        figures.engine_seconds,
        stop.latitude,
        stop.longitude,
    ]
