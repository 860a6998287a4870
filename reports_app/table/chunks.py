"""Rows of a section held by column, some thousands at a time: the shape that is stored and that every exporter writes.

Columns by kind, each with one entry per row:

* text: a list of str (None: empty), or `Coded` where the same few texts come again and again
* label: `Coded`, whose values are message ids of gettext
* datetime: int64, microseconds since 1970 in UTC; date: int64, days since 1970; NO_TIME is an empty cell
* every other kind: float64 in the unit the kind names, NaN is an empty cell (integers are exact to 2**53)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from django.utils.functional import Promise
from django.utils.translation import override

from reports_app.table.columns import TIME_KINDS, Column, ColumnKind

CHUNK_ROWS = 5_000
# NaT of numpy: `column.view("datetime64[us]")` reads a datetime column as it is.
NO_TIME = np.iinfo(np.int64).min

Cell = str | Promise | int | float | date | datetime | None
Row = Sequence[Cell]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Coded:
    """Texts by number: row i holds `values[codes[i]]`, and nothing where the code is -1."""

    codes: npt.NDArray[Any]
    values: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)

    def texts(self) -> list[str | None]:
        """Return the text of every row."""
        shown = [*self.values, None]  # -1 is the last one
        return [shown[code] for code in self.codes.tolist()]


ColumnData = npt.NDArray[np.float64] | npt.NDArray[np.int64] | Coded | Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a section, one entry of `data` per column. Made by `chunk_of`."""

    row_count: int
    data: Sequence[ColumnData]


def chunk_of(columns: Sequence[Column], data: Sequence[Any]) -> Chunk:
    """Return a chunk of these columns. Numbers and times may be arrays of any fitting dtype; infinities become empty
    cells.

    Raises ValueError when a column is missing, of another length than the first, or of another sort than its kind.
    """
    typed = [_typed(column, values) for column, values in zip(columns, data, strict=True)]
    lengths = {len(values) for values in typed}
    if len(lengths) > 1:
        raise ValueError(f"Columns of one chunk differ in length: {sorted(lengths)}.")
    return Chunk(lengths.pop() if lengths else 0, typed)


def coded(texts: Sequence[str | None]) -> Coded:
    """Return the texts as codes; each distinct text is kept once."""
    places: dict[str, int] = {}
    codes = [-1 if text is None else places.setdefault(text, len(places)) for text in texts]
    return Coded(np.array(codes, dtype=np.int32), list(places))


def as_chunks(columns: Sequence[Column], rows: Iterable[Row | Chunk]) -> Iterator[Chunk]:
    """Yield rows and chunks, in any mixture, as chunks."""
    pending: list[Row] = []
    for item in rows:
        if not isinstance(item, Chunk):
            pending.append(item)
        if pending and (isinstance(item, Chunk) or len(pending) == CHUNK_ROWS):
            yield _chunk_of_rows(columns, pending)
            pending = []
        if isinstance(item, Chunk) and item.row_count:
            yield item
    if pending:
        yield _chunk_of_rows(columns, pending)


def as_rows(columns: Sequence[Column], chunks: Iterable[Chunk]) -> Iterator[list[Cell]]:
    """Yield the rows of chunks one by one as Python values, for tests and previews."""
    for chunk in chunks:
        cells = [_python_values(column.kind, data) for column, data in zip(columns, chunk.data, strict=True)]
        yield from map(list, zip(*cells, strict=True))


def first_rows(columns: Sequence[Column], chunks: Iterable[Chunk], limit: int) -> list[list[Cell]]:
    """Return at most `limit` rows, reading no further chunk than needed."""
    return list(islice(as_rows(columns, (part_of(chunk, 0, limit) for chunk in chunks)), limit))


def part_of(chunk: Chunk, start: int, stop: int) -> Chunk:
    """Return rows `[start, stop)` of a chunk as views."""

    def cut(data: Any) -> Any:
        return Coded(data.codes[start:stop], data.values) if isinstance(data, Coded) else data[start:stop]

    return Chunk(max(0, min(stop, chunk.row_count) - start), [cut(data) for data in chunk.data])


def cell_of(column: Column, data: ColumnData, place: int) -> Cell:
    """Return one cell of a column as a Python value."""
    return next(as_rows([column], [part_of(Chunk(len(data), [data]), place, place + 1)]))[0]


def microseconds(timestamp: datetime) -> int:
    """Return an aware datetime as microseconds since 1970."""
    return (timestamp - _EPOCH) // _MICROSECOND


def _typed(column: Column, values: Any) -> ColumnData:
    kind = column.kind
    if kind is ColumnKind.LABEL and not isinstance(values, Coded):
        return coded(_texts(values))
    if kind in (ColumnKind.TEXT, ColumnKind.LABEL):
        return values if isinstance(values, Coded) else _texts(values)
    array = np.asarray(values)
    if kind in TIME_KINDS:
        if array.dtype.kind == "M":
            array = array.astype("datetime64[us]" if kind is ColumnKind.DATETIME else "datetime64[D]").view(np.int64)
        if array.dtype.kind not in "iu":
            raise ValueError(f"The times of column {column.key} are not whole numbers but {array.dtype}.")
        return array.astype(np.int64, copy=False)
    numbers = array.astype(np.float64, copy=False)
    return np.where(np.isinf(numbers), np.nan, numbers) if np.isinf(numbers).any() else numbers


def _texts(values: Sequence[Any]) -> list[str | None]:
    with override(None):  # a lazy text becomes its message id
        return [None if value is None else str(value) for value in values]


def _chunk_of_rows(columns: Sequence[Column], rows: Sequence[Row]) -> Chunk:
    if any(len(row) != len(columns) for row in rows):
        raise ValueError(f"A row has not the {len(columns)} cells of its section.")
    cells = zip(*rows, strict=True)
    return chunk_of(columns, [_column_values(column.kind, each) for column, each in zip(columns, cells, strict=True)])


def _column_values(kind: ColumnKind, cells: Sequence[Any]) -> Any:
    if kind in (ColumnKind.TEXT, ColumnKind.LABEL):
        return cells
    if kind is ColumnKind.DATETIME:
        return np.array([NO_TIME if cell is None else microseconds(cell) for cell in cells], dtype=np.int64)
    if kind is ColumnKind.DATE:
        days = [NO_TIME if cell is None else cell.toordinal() - _EPOCH_ORDINAL for cell in cells]
        return np.array(days, dtype=np.int64)
    return np.array([math.nan if cell is None else cell for cell in cells], dtype=np.float64)


def _python_values(kind: ColumnKind, data: Any) -> Sequence[Cell]:
    if isinstance(data, Coded):
        return data.texts()
    if kind is ColumnKind.TEXT:
        return data
    if kind in TIME_KINDS:
        return [None if value == NO_TIME else _TIMES[kind](value) for value in data.tolist()]
    make = int if kind is ColumnKind.INTEGER else float
    return [None if value != value else make(value) for value in data.tolist()]


_TIMES: dict[ColumnKind, Callable[[int], date | datetime]] = {
    ColumnKind.DATETIME: lambda value: _EPOCH + value * _MICROSECOND,
    ColumnKind.DATE: lambda value: date.fromordinal(value + _EPOCH_ORDINAL),
}
