"""Events: the events of one device in time order."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from reports_app.builders.base import check_row_count, report_device, report_table
from reports_app.models import Report
from reports_app.table import Cell, Column, ColumnKind, ReportTable, Row, Section
from tasks_app.models import Event, EventKind
from tasks_app.queries.streaming import streamed

COLUMNS = [
    Column("occurred_at", _("Time"), ColumnKind.DATETIME),
    Column("kind", _("Kind"), ColumnKind.LABEL),
    Column("geofence", _("Geofence")),
    Column("speed_kph", _("Speed"), ColumnKind.SPEED_KPH),
    Column("speed_limit_kph", _("Speed limit"), ColumnKind.SPEED_KPH),
    Column("peak_kph", _("Peak speed"), ColumnKind.SPEED_KPH),
    Column("duration_seconds", _("Duration"), ColumnKind.DURATION_SECONDS),
    Column("details", _("Details")),
    Column("latitude", _("Latitude"), ColumnKind.LATITUDE),
    Column("longitude", _("Longitude"), ColumnKind.LONGITUDE),
]


def build(report: Report) -> ReportTable:
    """Return the events of one device."""
    device = report_device(report)
    found = Event.objects.filter(device=device, occurred_at__gte=report.range_start, occurred_at__lt=report.range_end)
    check_row_count(found.count())
    rows = map(_row, streamed(found.select_related("geofence").order_by("occurred_at", "pk")))
    return report_table(report, device.name, [Section("events", _("Events"), COLUMNS, rows)])


def kind_label(kind: str) -> Cell:
    """Return the lazy label of an event kind, the name itself of a kind that this version does not know."""
    return EventKind(kind).label if kind in EventKind.values else kind


def number(data: dict[str, Any], key: str) -> float | None:
    """Return a quantity of an event's data, None if it is absent or not a number."""
    value = data.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def text(data: dict[str, Any], key: str) -> str | None:
    """Return a text of an event's data."""
    value = data.get(key)
    return None if value is None else str(value)


def peak_kph(data: dict[str, Any]) -> float | None:
    """Return the highest speed of an overspeed; while it lasts, or for old events, the speed that the event states."""
    peak = number(data, "peak_kph")
    return number(data, "speed_kph") if peak is None else peak


def details(data: dict[str, Any]) -> str | None:
    """Return the details of an event: the name of an alarm, a device's answer to a command, the maintenance plan."""
    return next((text(data, key) for key in ("alarm", "result", "plan") if key in data), None)


def _row(event: Event) -> Row:
    return [
        event.occurred_at,
        kind_label(event.kind),
        event.geofence_name or None,
        number(event.data, "speed_kph"),
        number(event.data, "speed_limit_kph"),
        number(event.data, "peak_kph"),
        number(event.data, "duration_seconds"),
        details(event.data),
        event.latitude,
        event.longitude,
    ]
