"""Tables as files in the admin: read with bounded effort, written so that every spreadsheet opens them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time
from functools import partial
from typing import Any
from zipfile import BadZipFile, ZipFile

import tablib
from django.utils.translation import gettext as _
from import_export.formats.base_formats import BINARY_FORMATS, CSV, DEFAULT_FORMATS, JSON, XLSX

from tasks_app.ingest.csv_table import delimiter_of, named_delimiter
from tasks_app.ingest.text_files import encoding_of
from tasks_app.utils.spreadsheets import cut_to_units, legible
from tasks_app.web.quantities import format_number

MAX_IMPORT_ROWS = 5000
MAX_IMPORT_COLUMNS = 40
MAX_SHEET_CELLS = MAX_IMPORT_ROWS * MAX_IMPORT_COLUMNS
MAX_TABLE_BYTES = 10 * 1024 * 1024
# Of the parts of a workbook that must be read as a whole, and of one so large that its rows are not even counted.
MAX_SHARED_BYTES = 8 * 1024 * 1024
MAX_WORKBOOK_BYTES = 256 * 1024 * 1024
# Rows of a sheet, empty ones among them: what is formatted down to the last row of Excel is still seen fast.
MAX_SHEET_ROWS = 50_000
_PIECE_BYTES = 1024 * 1024
_LONGEST_TAG_NAME = 100
_START = re.compile(rb"<(?:\w+:)?(row|c)[\s/>]")
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_LIKE_AN_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")


class InvalidTable(ValueError):
    """The file cannot be taken; the message says why."""


class XlsxFormat(XLSX):
    """Cells keep their types; texts come and go as ECMA-376 has them, whatever their letters."""

    def create_dataset(self, in_stream: bytes) -> tablib.Dataset:
        import openpyxl  # 6 MB, which most processes never need

        check_workbook(in_stream)
        book = openpyxl.load_workbook(io.BytesIO(in_stream), read_only=True, data_only=True, keep_links=False)
        try:
            return _dataset(_sheet_rows(book.active))
        finally:
            book.close()

    def export_data(self, dataset: tablib.Dataset, **kwargs: Any) -> bytes:
        import openpyxl
        from openpyxl.cell import WriteOnlyCell

        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet()
        text_cell = partial(WriteOnlyCell, sheet)
        sheet.freeze_panes = "A2"
        for row in (dataset.headers, *dataset):
            sheet.append([_cell(text_cell, value) for value in row])
        out = io.BytesIO()
        book.save(out)
        return out.getvalue()


class CsvFormat(CSV):
    """Any delimiter and encoding a spreadsheet writes."""

    def create_dataset(self, in_stream: bytes | str, **kwargs: Any) -> tablib.Dataset:
        text = in_stream if isinstance(in_stream, str) else _decoded(in_stream)
        lines = io.StringIO(text.lstrip("\ufeff"), newline="")
        start = 0
        first = next(lines, "")
        if named := named_delimiter(first):
            start, first = lines.tell(), next(lines, "")
        lines.seek(start)
        try:
            return _dataset(csv.reader(lines, delimiter=named or delimiter_of(first)))
        except csv.Error as error:
            raise InvalidTable(_("The file is no CSV: %(reason)s.") % {"reason": error}) from error


class JsonFormat(JSON):
    """A list of objects, which may leave members out."""

    def create_dataset(self, in_stream: bytes | str, **kwargs: Any) -> tablib.Dataset:
        try:
            rows = json.loads(in_stream if isinstance(in_stream, str) else _decoded(in_stream).lstrip("\ufeff"))
        except (ValueError, RecursionError) as error:
            if isinstance(error, InvalidTable):
                raise
            raise InvalidTable(_("The file is no JSON: %(reason)s.") % {"reason": error}) from error
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InvalidTable(_("The file must be a list of objects."))
        _refuse_half_letters(rows)
        names = list(dict.fromkeys(name for row in rows for name in row))
        return _dataset([names, *([row.get(name, "") for name in names] for row in rows)])


# The library gives numbers, times and booleans as such to the formats in this list.
BINARY_FORMATS.append(XlsxFormat)
# Missing where the library found no openpyxl (tasks_app/admin/__init__.py); pages of other apps may offer it.
for _formats in (DEFAULT_FORMATS, BINARY_FORMATS):
    if XLSX not in _formats:
        _formats.append(XLSX)
FORMATS = (CsvFormat, XlsxFormat, JsonFormat)


def check_workbook(data: bytes) -> None:
    """Raise InvalidTable for a file that is no workbook or too large, before it is parsed."""
    try:
        with ZipFile(io.BytesIO(data)) as book:
            parts = {part.filename: part.file_size for part in book.infolist()}
            shared = sum(size for name, size in parts.items() if "/worksheets/" not in name)
            if shared > MAX_SHARED_BYTES or sum(parts.values()) > MAX_WORKBOOK_BYTES:
                raise InvalidTable(_("The workbook unpacks to more than is taken at once."))
            for name in parts:
                if "/worksheets/" in name:
                    _check_sheet(book, name)
    except (BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise InvalidTable(_("The file is no XLSX workbook.")) from error


def _check_sheet(book: ZipFile, name: str) -> None:
    counts: Counter[bytes] = Counter()
    rest = b""
    with book.open(name) as sheet:
        while piece := sheet.read(_PIECE_BYTES):
            text = rest + piece
            # A tag cut in two by the end of the piece waits for its other half.
            place = text.rfind(b"<", len(text) - _LONGEST_TAG_NAME)
            rest = text[place:] if place >= 0 else b""
            counts.update(_START.findall(text[: len(text) - len(rest)]))
            if counts[b"row"] > MAX_SHEET_ROWS or (counts[b"c"] > MAX_SHEET_CELLS and counts[b"row"] > MAX_IMPORT_ROWS):
                raise too_many_rows()
            if counts[b"c"] > MAX_SHEET_CELLS:
                raise InvalidTable(_("The sheet has more cells than are taken at once."))


def too_many_rows() -> InvalidTable:
    """The error of a file with more rows than are taken."""
    return InvalidTable(
        _("The file has too many rows; at most %(most)s are taken at once.") % {"most": format_number(MAX_IMPORT_ROWS)}
    )


def _sheet_rows(sheet: Any) -> Iterator[list[Any]]:
    if not hasattr(sheet, "iter_rows"):
        raise InvalidTable(_("The workbook's first sheet is no table."))
    for number, row in enumerate(sheet.iter_rows(values_only=True, max_col=MAX_IMPORT_COLUMNS)):
        if number > MAX_SHEET_ROWS:
            raise too_many_rows()
        yield [_unescaped(value) if isinstance(value, str) else value for value in row]


def _dataset(rows: Iterable[Sequence[Any]]) -> tablib.Dataset:
    """The rows that are not empty under the names in the first of them."""
    filled = (row for row in rows if any(value not in (None, "") for value in row))
    names = [str(name or "").strip() for name in next(filled, ())]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise InvalidTable(_("The file is empty: its first row must name the columns."))
    if twice := [name for name, count in Counter(filter(None, names)).items() if count > 1]:
        raise InvalidTable(_("The column %(name)s is there more than once.") % {"name": twice[0][:100]})
    dataset = tablib.Dataset(headers=names)
    for number, row in enumerate(filled, 1):
        if number > MAX_IMPORT_ROWS:
            raise too_many_rows()
        if any(value not in (None, "") for value in row[len(names) :]):
            raise InvalidTable(_("Row %(number)d has more cells than there are columns.") % {"number": number})
        dataset.append([*row[: len(names)], *[""] * (len(names) - len(row))])
    return dataset


def _decoded(data: bytes) -> str:
    try:
        return encoding_of(data).decoder().decode(data, True)
    except UnicodeDecodeError as error:
        raise InvalidTable(_("The text is damaged; save it as UTF-8: %(reason)s") % {"reason": error}) from error


def _refuse_half_letters(rows: Any) -> None:
    """Raise InvalidTable for the half of a pair of UTF-16, which JSON may spell and no page can show."""
    try:
        json.dumps(rows, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError) as error:
        raise InvalidTable(_("The text is damaged; save it as UTF-8: %(reason)s") % {"reason": error}) from error


def _unescaped(text: str) -> str:
    if "_x" not in text:
        return text
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _cell(text_cell: Callable[[str], Any], value: Any) -> Any:
    """A value as a cell: a text is a text, whatever it looks like."""
    if value is None or isinstance(value, bool | int | float | date | time):
        if not isinstance(value, datetime) or value.tzinfo is None:
            return value
        value = value.isoformat()
    cell = text_cell(_LIKE_AN_ESCAPE.sub("_x005F_", cut_to_units(legible(str(value)))))
    cell.data_type = "s"
    return cell
