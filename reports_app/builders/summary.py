"""Device summary: key figures of the range, one row per local day (silent days are rows of zeros), events by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from reports_app.builders.base import (
    figure_cells,
    figure_columns,
    odometer_meters,
    report_days,
    report_device,
    report_table,
)
from reports_app.models import Report
from reports_app.table import Cell, Column, ColumnKind, ReportTable, Section
from tasks_app.geo.days import DayPart
from tasks_app.geo.figures import METERS_PER_KM, Figures, total
from tasks_app.models import Device, EventKind
from tasks_app.queries.device_days import DayTotals, day_totals
from tasks_app.services.devices import refresh_days

COUNTS = [
    Column("trips", _("Trips"), ColumnKind.INTEGER),
    Column("stops", _("Stops"), ColumnKind.INTEGER),
    Column("events", _("Events"), ColumnKind.INTEGER),
    Column("fixes", _("Positions"), ColumnKind.INTEGER),
]

# Its rows have no coordinates, so there are no files of it in geographic formats.
HAS_PLACES = False


def build(report: Report) -> ReportTable:
    """Return the summary of one device."""
    device, days, now = report_device(report), report_days(report), timezone.now()
    refresh_days([device], days[0][0], days[-1][0], now=now)
    ((_device, found),) = day_totals([device], days, now=now)
    figures = total(each.figures for each in found)
    trips, stops = sum(each.trips for each in found), sum(each.stops for each in found)
    events = sum((Counter(each.events) for each in found), Counter[str]())
    rows = [_day_row(part, each) for part, each in zip(days, found, strict=True)]
    totals: list[Cell] = [None, *figure_cells(figures), trips, stops, events.total(), figures.fix_count]
    sections = [
        _overview(
            device, found, [*figure_cells(figures), trips, stops], _odometers_km(device, report.range_end, figures)
        ),
        Section("days", _("Days"), _day_columns(), rows, totals),
        _events_by_kind(events),
    ]
    return report_table(report, device.name, sections)


def _day_columns() -> list[Column]:
    return [Column("day", _("Day"), ColumnKind.DATE), *figure_columns(), *COUNTS]


def _day_row(part: DayPart, found: DayTotals) -> list[Cell]:
    events = sum(found.events.values())
    return [part[0], *figure_cells(found.figures), found.trips, found.stops, events, found.figures.fix_count]


def _overview(device: Device, days: Sequence[DayTotals], cells: list[Cell], odometers_km: list[Cell]) -> Section:
    columns = [
        Column("device", _("Device")),
        Column("unique_id", _("Unique id")),
        *figure_columns(),
        Column("trips", _("Trips"), ColumnKind.INTEGER),
        Column("stops", _("Stops"), ColumnKind.INTEGER),
        Column("odometer_start_km", _("Odometer at start"), ColumnKind.DISTANCE_KM),
        Column("odometer_end_km", _("Odometer at end"), ColumnKind.DISTANCE_KM),
        Column("first_fix_at", _("First position"), ColumnKind.DATETIME),
        Column("last_fix_at", _("Last position"), ColumnKind.DATETIME),
    ]
    first = min((day.first_fix_at for day in days if day.first_fix_at), default=None)
    last = max((day.last_fix_at for day in days if day.last_fix_at), default=None)
    row = [device.name, device.unique_id, *cells, *odometers_km, first, last]
    return Section("summary", _("Summary"), columns, [row])


def _odometers_km(device: Device, end: datetime, figures: Figures) -> list[Cell]:
    """Return the odometer at both ends of the range."""
    at_end = odometer_meters(device, end)
    if at_end is None:
        return [None, None]
    return [max(0.0, at_end - figures.distance_meters) / METERS_PER_KM, at_end / METERS_PER_KM]


def _events_by_kind(counts: Counter[str]) -> Section:
    columns = [Column("kind", _("Kind"), ColumnKind.LABEL), Column("count", _("Count"), ColumnKind.INTEGER)]
    rows: list[list[Cell]] = [[kind.label, counts[kind.value]] for kind in EventKind]
    return Section("events", _("Events"), columns, rows, [None, counts.total()])
