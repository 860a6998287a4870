"""Tables of text as programs and spreadsheets write them: any delimiter and encoding, a damaged row costs only itself."""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from django.utils.translation import gettext as _

from tasks_app.ingest.content import text_kind
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.files import opened
from tasks_app.ingest.text_files import Encoding, Lines, encoding_of, sample_text

Row = list[str]

# A program that read the line as a row of one cell, and wrote the table again, has added the row's other cells.
_NAMED_DELIMITER = re.compile(r'"?sep=(.)"?(?:([,;\t|])\2*|\s*)', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')
_DELIMITERS = ",;\t|"
# A quoted cell of more lines than this is a quote that was not closed.
_MAX_LINES_OF_ROW = 20
_SAMPLE_ROWS = 1000


class Table:
    """The names of the columns of an open file, its first rows to look at, and all of its rows to read once."""

    def __init__(self, stream: io.BufferedReader) -> None:
        sample = stream.peek()
        self.kind = text_kind(sample)
        self.encoding: Encoding = encoding_of(sample)
        self.lines = Lines(stream, self.encoding)
        header, self.delimiter = _header(self.lines)
        self.names = [name.strip() for name in next(rows(iter([header]), self.delimiter), None) or []]
        lines = iter(sample_text(sample).splitlines(keepends=True)[self.lines.number :])
        self.sample = [row for row in islice(rows(lines, self.delimiter), _SAMPLE_ROWS) if row]

    def rows(self) -> Iterator[tuple[int, Row | None]]:
        """The rows that are not empty with their number from 0, None for one that is no CSV or where the file was cut.

        A last row without a line end that lacks cells is one: its last number may be the beginning of another.
        """
        lines, width = self.lines, len(self.names)
        for index, row in enumerate(rows(lines, self.delimiter)):
            if row is None or (row and row[0].strip()) or any(map(str.strip, row)):
                yield index, row if lines.is_ended or row is None or len(row) >= width else None

    def column(self, place: int | None) -> Iterator[str]:
        """The texts of a column in the first rows; none where there is no such column."""
        if place is not None:
            yield from (text for row in self.sample if place < len(row) and (text := row[place].strip()))


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """The file as a table. Raises BodyError when it cannot be read, OSError when it cannot be opened."""
    with opened(path) as stream:
        yield Table(stream)


def rows(lines: Iterator[str | None], delimiter: str) -> Iterator[Row | None]:
    """The rows of these lines, [] for an empty one, None for one that cannot be read; the next one is read all the same."""
    waiting: deque[str | None] = deque()
    while True:
        line = waiting.popleft() if waiting else next(lines, "")
        if line == "":
            return
        if line is None:
            yield None
        elif '"' not in line:
            text = line.rstrip("\r\n")
            yield text.split(delimiter) if text else []
        else:
            yield _quoted_row(line, lines, waiting, delimiter)


def _quoted_row(line: str, lines: Iterator[str | None], waiting: deque[str | None], delimiter: str) -> Row | None:
    """A row of one line, or of several where a quoted cell goes on; lines that do not belong to it are put back."""
    taken: list[str | None] = []
    text = line
    while (row := _parsed(text, delimiter)) is None and len(taken) < _MAX_LINES_OF_ROW:
        more = waiting.popleft() if waiting else next(lines, "")
        if not more:
            if more is None:
                taken.append(more)
            break
        taken.append(more)
        text += more
    if row is None:
        waiting.extendleft(reversed(taken))
    return row


def _parsed(text: str, delimiter: str) -> Row | None:
    """The row, None where a quote is still open or the csv module cannot read it."""
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        if "unexpected end" in str(error):
            return None
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return None


def named_delimiter(line: str) -> str | None:
    """The delimiter a first line `sep=;` names, as Excel reads it."""
    found = _NAMED_DELIMITER.fullmatch(line.strip("\ufeff\r\n"))
    return (found[2] or found[1]) if found else None


def delimiter_of(header: str) -> str:
    """The delimiter of a line of names."""
    return max(_DELIMITERS, key=_QUOTED.sub("", header).count)


def _header(lines: Lines) -> tuple[str, str]:
    """The line of the columns' names, after empty ones and one that names the delimiter, and the delimiter."""
    named = None
    for line in lines:
        if line is None:
            raise BodyError("unreadable_file", _("The first line is longer than any list of columns."))
        text = line.strip("\ufeff")
        if found := named_delimiter(text):
            named = found
        elif text.strip():
            return text, named or delimiter_of(text)
    return "", named or ","
