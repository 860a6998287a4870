"""Helpers of builders: the subject of a report, its time zone and limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from reports_app.exceptions import InvalidReport
from reports_app.models import Report, ReportKind
from reports_app.table import Cell, Column, ColumnKind, ReportTable, Section
from tasks_app.geo.days import DayPart, day_parts
from tasks_app.geo.figures import Figures
from tasks_app.models import Device, Position
from tasks_app.queries.device_days import odometer_at
from tasks_app.queries.drives import Drive, read_drive
from tasks_app.services.devices import refresh_days

Builder = Callable[[Report], ReportTable]

# The largest number of rows of a report.
MAX_ROWS = 10_000_000
# The largest number of positions of a report that needs the whole track at once: some 250 bytes of memory each.
MAX_FIXES_AT_ONCE = 4_000_000


def report_table(report: Report, subject: str, sections: Sequence[Section]) -> ReportTable:
    """Return the table of `report` with these sections."""
    return ReportTable(
        kind=report.kind,
        title=ReportKind(report.kind).label,
        subject=subject,
        range_start=report.range_start,
        range_end=report.range_end,
        time_zone=str(report.zone),
        sections=sections,
    )


def report_device(report: Report) -> Device:
    """Return the device of a report. Raises InvalidReport (device_required)."""
    if report.device is None:
        raise InvalidReport("device_required", _("A report of this kind needs a device."), field="device_id")
    return report.device


def report_days(report: Report) -> list[DayPart]:
    """Return the local days of the report's range."""
    return day_parts(report.range_start, report.range_end, report.zone)


def check_row_count(count: int) -> None:
    """Raise InvalidReport (too_many_rows) for more rows than a report stores."""
    if count > MAX_ROWS:
        detail = _("The report would have %(count)s rows, and at most %(most)s fit: choose a shorter range.")
        raise InvalidReport("too_many_rows", detail % {"count": count, "most": MAX_ROWS}, field="end")


def report_drive(report: Report, device: Device) -> Drive:
    """Return the trips and stops of the report's range, with its fixes.

    Raises InvalidReport (too_many_positions) for a range with more positions than fit into memory at once.
    """
    stored = Position.objects.filter(device=device, fix_time__gte=report.range_start, fix_time__lt=report.range_end)
    if (count := stored.count()) > MAX_FIXES_AT_ONCE:
        detail = _("The range has %(count)s positions, and at most %(most)s can be read at once: choose a shorter one.")
        values = {"count": count, "most": MAX_FIXES_AT_ONCE}
        raise InvalidReport("too_many_positions", detail % values, field="end")
    return read_drive(device, report.range_start, report.range_end)


def odometer_meters(device: Device, at: datetime) -> float | None:
    """Return the odometer at a time, None for a device without fixes. Updates the roll-ups it is computed from."""
    now = timezone.now()
    refresh_days([device], at.date(), now.date(), now=now)
    return odometer_at(device, at)


def figure_columns() -> list[Column]:
    """Return the columns of `figure_cells`."""
    return [
        Column("distance_km", gettext_lazy("Distance"), ColumnKind.DISTANCE_KM),
        Column("moving_seconds", gettext_lazy("Moving"), ColumnKind.DURATION_SECONDS),
        Column("stopped_seconds", gettext_lazy("Stopped"), ColumnKind.DURATION_SECONDS),
        Column("idle_seconds", gettext_lazy("of it idle"), ColumnKind.DURATION_SECONDS),
        Column("engine_seconds", gettext_lazy("Engine on"), ColumnKind.DURATION_SECONDS),
        Column("average_speed_kph", gettext_lazy("Average speed"), ColumnKind.SPEED_KPH),
        Column("max_speed_kph", gettext_lazy("Top speed"), ColumnKind.SPEED_KPH),
    ]


def figure_cells(figures: Figures) -> list[Cell]:
    """Return the cells of `figure_columns`."""
    return [
        figures.distance_km,
        figures.moving_seconds,
        figures.stopped_seconds,
        figures.idle_seconds,
        figures.engine_seconds,
        figures.average_speed_kph,
        figures.max_speed_kph,
    ]
