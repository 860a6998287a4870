"""Device summary: key figures of the range, one row per local day (silent days are rows of zeros), events by kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from reports_app.builders.base import (
    day_edges,
    figure_cells,
    figure_columns,
    in_parts,
    report_days,
    report_device,
    report_table,
)
from reports_app.days import DayPart
from reports_app.models import Report
from reports_app.table import Cell, Column, ColumnKind, ReportTable, Section
from tasks_app.geo.figures import METERS_PER_KM, Figures, total
from tasks_app.models import Device, Event, EventKind
from tasks_app.queries.drives import Drive, moment_of, odometer_at, read_drive

COUNTS = [
    Column("trips", _("Trips"), ColumnKind.INTEGER),
    Column("events", _("Events"), ColumnKind.INTEGER),
    Column("fixes", _("Positions"), ColumnKind.INTEGER),
]


def build(report: Report) -> ReportTable:
    """The summary of one device."""
    device, days = report_device(report), report_days(report)
    edges = day_edges(days)
    drive = read_drive(device, report.range_start, report.range_end)
    found = Event.objects.filter(device=device, occurred_at__gte=edges[0], occurred_at__lt=edges[-1])
    events = list(found.values_list("kind", "occurred_at"))
    moments = [occurred_at for _kind, occurred_at in events]
    figures = drive.figures(edges)
    trips = [drive.trips_started(start, end) for _day, start, end in days]
    rows = _day_rows(days, figures, trips, in_parts(moments, edges))
    totals: list[Cell] = [None, *figure_cells(total(figures)), sum(trips), len(events), total(figures).fix_count]
    sections = [
        _overview(device, report, drive, total(figures), sum(trips)),
        Section("days", _("Days"), _day_columns(), rows, totals),
        _events_by_kind([kind for kind, _occurred_at in events]),
    ]
    return report_table(report, device.name, sections)


def _day_columns() -> list[Column]:
    return [Column("day", _("Day"), ColumnKind.DATE), *figure_columns(), *COUNTS]


def _day_rows(
    days: Sequence[DayPart], figures: Sequence[Figures], trips: Sequence[int], events: Sequence[int]
) -> list[list[Cell]]:
    return [
        [day, *figure_cells(each), trip_count, event_count, each.fix_count]
        for (day, _start, _end), each, trip_count, event_count in zip(days, figures, trips, events, strict=True)
    ]


def _overview(device: Device, report: Report, drive: Drive, figures: Figures, trips: int) -> Section:
    columns = [
        Column("device", _("Device")),
        Column("unique_id", _("Unique id")),
        *figure_columns(),
        Column("trips", _("Trips"), ColumnKind.INTEGER),
        Column("odometer_start_km", _("Odometer at start (km)"), ColumnKind.DISTANCE_KM),
        Column("odometer_end_km", _("Odometer at end (km)"), ColumnKind.DISTANCE_KM),
        Column("first_fix_at", _("First position"), ColumnKind.DATETIME),
        Column("last_fix_at", _("Last position"), ColumnKind.DATETIME),
    ]
    row = [device.name, device.unique_id, *figure_cells(figures), trips]
    row += _odometer_km(device, report.range_end, figures.distance_meters)
    return Section("summary", _("Summary"), columns, [[*row, *_first_and_last(drive)]])


def _odometer_km(device: Device, end: datetime, distance_meters: float) -> list[Cell]:
    at_end = odometer_at(device, end)
    if at_end is None:
        return [None, None]
    return [max(0.0, at_end - distance_meters) / METERS_PER_KM, at_end / METERS_PER_KM]


def _first_and_last(drive: Drive) -> list[Cell]:
    times = drive.fixes.times_seconds
    times = times[(times >= drive.start.timestamp()) & (times < drive.end.timestamp())]
    return [moment_of(times[0]), moment_of(times[-1])] if len(times) else [None, None]


def _events_by_kind(kinds: Sequence[str]) -> Section:
    columns = [Column("kind", _("Kind"), ColumnKind.LABEL), Column("count", _("Count"), ColumnKind.INTEGER)]
    rows: list[list[Cell]] = [[kind.label, kinds.count(kind)] for kind in EventKind]
    return Section("events", _("Events"), columns, rows, [None, len(kinds)])
