"""Cells of a report on a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format, number_format

from reports_app.exporters import ShownColumn, shown_columns
from reports_app.queries import SectionPreview
from reports_app.table import DECIMALS, TOTAL, ColumnKind, DisplaySettings, Row, translated
from tasks_app.web.quantities import MISSING, format_number, format_seconds

SHOWN: dict[ColumnKind, Callable[[Any], str]] = {
    ColumnKind.LABEL: lambda cell: translated(str(cell)),
    ColumnKind.DATE: date_format,
    ColumnKind.DURATION_SECONDS: lambda cell: format_seconds(float(cell)) if cell else "0",
    ColumnKind.INTEGER: lambda cell: format_number(int(cell)),
}
MOST_DECIMALS = 2
# Units that titles on pages name besides those of the display settings.
SYMBOLS = {ColumnKind.PERCENT: "%"}


def shown_cell(column: ShownColumn, cell: Any, zone: ZoneInfo) -> str:
    """Return a cell as text in the language, units and time zone of `display`."""
    kind = column.kind
    if column.unit is not None:
        cell = column.number(cell)
    if cell is None:
        return MISSING
    if isinstance(cell, datetime):
        return date_format(cell.astimezone(zone), "DATETIME_FORMAT")
    if kind in SHOWN:
        return SHOWN[kind](cell)
    if kind in (ColumnKind.LATITUDE, ColumnKind.LONGITUDE):
        return f"{cell:.6f}"
    if kind in DECIMALS:
        return number_format(round(float(cell), min(MOST_DECIMALS, DECIMALS[kind])), use_l10n=True, force_grouping=True)
    return str(cell)


def shown_section(preview: SectionPreview, display: DisplaySettings) -> dict[str, Any]:
    """Return the first rows of a section, and its totals, as text for the template. Titles name the time zone, which may
    be another one than that of the report's days."""
    zone = display.zone
    columns = shown_columns(preview.section, display, symbols={**SYMBOLS, ColumnKind.DATETIME: display.time_zone})
    return {
        "name": preview.name,
        "columns": [column.title for column in columns],
        "rows": [[shown_cell(*pair, zone) for pair in zip(columns, row, strict=True)] for row in preview.rows],
        "totals": _shown_totals(columns, preview.section.total_row(), zone),
        "total": preview.row_count,
    }


def _shown_totals(columns: Sequence[ShownColumn], totals: Row | None, zone: ZoneInfo) -> list[str]:
    if totals is None:
        return []
    first, *others = [
        "" if cell is None else shown_cell(column, cell, zone) for column, cell in zip(columns, totals, strict=True)
    ]
    return [first or translated(TOTAL), *others]
