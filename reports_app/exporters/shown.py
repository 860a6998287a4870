"""Columns for people: titles with units, numbers in the units of the display settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from django.utils.formats import get_format, number_format

from reports_app.exporters.cells import Cells, date_cells, number_cells, text_cells, time_cells
from reports_app.table import DECIMALS, TEXT_KINDS, Cell, Column, ColumnKind, DisplaySettings, Section, translated
from tasks_app.geo.units import AltitudeUnit, AnyUnit, in_unit, unit_symbol

# Where a person needs fewer decimals than are kept.
_PEOPLE_DECIMALS = {
    ColumnKind.NUMBER: 1,
    ColumnKind.DISTANCE_KM: 1,
    ColumnKind.COURSE_DEGREES: 0,
    ColumnKind.VOLUME_LITERS: 1,
}
_FIXED_SYMBOLS = {ColumnKind.COURSE_DEGREES: "°"}
# Titles of reports of earlier versions name the unit they are stored in.
_STORED_SYMBOLS = ("km", "km/h", "m", "l", "°")


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """One column with its display unit. `decimals` are those shown."""

    kind: ColumnKind
    title: str
    decimals: int
    unit: AnyUnit | None

    def numbers(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Stored numbers in the unit shown."""
        return values if self.unit is None else in_unit(values, self.unit)

    def number(self, value: Cell) -> float | None:
        """One stored number in the unit shown, rounded; None for an empty cell, NaN or an infinity."""
        if not isinstance(value, int | float) or not np.isfinite(value):
            return None
        return round(float(value if self.unit is None else in_unit(float(value), self.unit)), self.decimals) + 0.0


def shown_columns(
    section: Section, display: DisplaySettings, *, symbols: dict[ColumnKind, str] | None = None
) -> list[ShownColumn]:
    """Return the columns for these display settings, in the active language. `symbols` are units that this format must
    name besides."""
    return [shown_column(column, display, symbols) for column in section.columns]


def shown_cells(column: ShownColumn, data: Any, zone: ZoneInfo, write: Callable[[str], bytes]) -> Cells:
    """Return the cells of a column of a chunk as text; `write` writes texts and translated labels."""
    match column.kind:
        case ColumnKind.TEXT:
            return text_cells(data, write)
        case ColumnKind.LABEL:
            return text_cells(data, lambda label: write(translated(label)))
        case ColumnKind.DATETIME:
            return time_cells(data, zone)
        case ColumnKind.DATE:
            return date_cells(data)
    return number_cells(column.numbers(data), column.decimals)


def people_text(column: ShownColumn, cell: Cell, zone: ZoneInfo) -> str:
    """One cell as a person writes it, in the active language: 1.234,5 and 31/12/2026 in Portuguese."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.astimezone(zone).strftime(first_format("DATETIME_INPUT_FORMATS"))
    if isinstance(cell, date):
        return cell.strftime(first_format("DATE_INPUT_FORMATS"))
    if column.kind in TEXT_KINDS:
        return translated(str(cell)) if column.kind is ColumnKind.LABEL else str(cell)
    number = column.number(cell)
    if number is None:
        return ""
    if column.kind is ColumnKind.DURATION_SECONDS:
        return duration_text(number)
    if column.kind in (ColumnKind.LATITUDE, ColumnKind.LONGITUDE):
        return f"{number:.6f}"  # as maps take it
    text = number_format(number, _PEOPLE_DECIMALS.get(column.kind, column.decimals), use_l10n=True, force_grouping=True)
    return f"{text}%" if column.kind is ColumnKind.PERCENT else text


def minute_text(timestamp: datetime, zone: ZoneInfo) -> str:
    """A time without its seconds, in the active language."""
    return timestamp.astimezone(zone).strftime(first_format("DATETIME_INPUT_FORMATS").replace(":%S", ""))


def duration_text(seconds: float) -> str:
    """Hours, minutes and seconds: 26:00:00."""
    whole = round(abs(seconds))
    sign = "-" if seconds < 0 and whole else ""
    return f"{sign}{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def first_format(name: str) -> str:
    """Return the first input format of the active language, for strftime."""
    return str(get_format(name)[0])


def shown_column(column: Column, display: DisplaySettings, symbols: dict[ColumnKind, str] | None = None) -> ShownColumn:
    """Return one column as `shown_columns` does."""
    unit = display.unit_of(column.kind)
    symbol = unit_symbol(unit) if unit else {**_FIXED_SYMBOLS, **(symbols or {})}.get(column.kind)
    title = translated(column.title)
    title = f"{_without_unit(title)} ({symbol})" if symbol else title
    return ShownColumn(column.kind, title, _decimals(column.kind, unit), unit)


def _decimals(kind: ColumnKind, unit: AnyUnit | None) -> int:
    """Those of the kind; a foot needs none, where a meter has one."""
    if unit is AltitudeUnit.FEET:
        return 0
    return DECIMALS.get(kind, 0)


def _without_unit(title: str) -> str:
    for symbol in _STORED_SYMBOLS:
        title = title.removesuffix(f" ({symbol})")
    return title
