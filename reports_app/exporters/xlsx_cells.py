"""Cells of a sheet as XML (ECMA-376, SpreadsheetML): typed, in the style of their column, never a formula."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from reports_app.exporters.cells import (
    MICROSECONDS_PER_SECOND,
    Cells,
    Int64Array,
    number_cells,
    text_cells,
    utc_offsets,
)
from reports_app.exporters.shown import ShownColumn
from reports_app.table import NO_TIME, ColumnKind, translated
from tasks_app.utils.spreadsheets import cut_to_units

_EPOCH_DAY = 25_569  # 1970-01-01 in days since 1899-12-30
_FIRST_DAY = 367  # 1901-01-01: before, Excel counts a 29 February 1900 that never was
_SECONDS_PER_DAY = 86_400
_DAY_DECIMALS = 9  # of a day: less than a millisecond

# Characters XML cannot hold are written _xHHHH_ (ECMA-376, ST_Xstring), and so is the underscore of what looks like the
# beginning of that: the underscore at its end may be that of a character after it.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4})")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "_x000D_"})


def sheet_cells(column: ShownColumn, data: Any, style: bytes, zone: ZoneInfo) -> Cells:
    """The cells of one column of a chunk; `style` is the number of its format. An empty cell keeps its style."""
    empty = b'<c s="' + style + b'"/>'
    match column.kind:
        case ColumnKind.TEXT:
            return text_cells(data, text_writer(style), empty=empty)
        case ColumnKind.LABEL:
            write = text_writer(style)
            return text_cells(data, lambda label: write(translated(label)), empty=empty)
        case ColumnKind.DATETIME:
            return _day_cells(_local_days(data, zone), style, empty)
        case ColumnKind.DATE:
            return _day_cells(np.where(data == NO_TIME, np.nan, data.astype(np.float64) + _EPOCH_DAY), style, empty)
    values, decimals = column.numbers(data), column.decimals
    if column.kind is ColumnKind.DURATION_SECONDS:
        values, decimals = np.rint(values) / _SECONDS_PER_DAY, _DAY_DECIMALS
    elif column.kind is ColumnKind.PERCENT:
        values, decimals = values / 100.0, decimals + 2
    return number_cells(values, decimals, before=_number_start(style), after=b"</v></c>", empty=empty)


def text_writer(style: bytes) -> Callable[[str], bytes]:
    """Return the function that writes a text as a cell of this style: always as an inline string."""
    start = b'<c s="' + style + b'" t="inlineStr"><is><t xml:space="preserve">'
    return lambda text: start + escaped(cut_to_units(text)) + b"</t></is></c>"


def escaped(text: str) -> bytes:
    """A text as the content of an element of a sheet."""
    plain = _UNWRITABLE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    return plain.translate(_ESCAPES).encode(errors="replace")


def _number_start(style: bytes) -> bytes:
    return b'<c s="' + style + b'"><v>'


def _local_days(timestamps: Int64Array, zone: ZoneInfo) -> npt.NDArray[np.float64]:
    """Days since 1899-12-30 on the wall clock of the zone."""
    is_empty = timestamps == NO_TIME
    seconds = np.where(is_empty, 0, timestamps) / MICROSECONDS_PER_SECOND
    local = seconds + utc_offsets(np.floor(seconds).astype(np.int64), zone)
    return np.where(is_empty, np.nan, local / _SECONDS_PER_DAY + _EPOCH_DAY)


def _day_cells(days: npt.NDArray[np.float64], style: bytes, empty: bytes) -> Cells:
    cells = number_cells(days, _DAY_DECIMALS, before=_number_start(style), after=b"</v></c>", empty=empty)
    too_old = np.flatnonzero(days < _FIRST_DAY)
    if len(too_old):
        cells = list(cells)
    for index in too_old.tolist():
        seconds = np.int64(round((days[index] - _EPOCH_DAY) * _SECONDS_PER_DAY))
        text = str(np.datetime64(int(seconds), "s")).replace("T", " ")
        cells[index] = text_writer(style)(text)  # type: ignore[index]
    return cells
