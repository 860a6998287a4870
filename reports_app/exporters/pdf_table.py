"""Tables of a PDF: headers repeated on every page, numbers to the right, totals in bold, long ones cut with a note."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from reports_app.exporters.pdf_pen import INK, LINE, MARGIN, SUBTLE, TINT, WIDTH, Pen, fitted, text_width, wrapped
from reports_app.exporters.shown import ShownColumn
from reports_app.table import TEXT_KINDS, TIME_KINDS

SIZE, HEADER_SIZE, ROW_HEIGHT, PADDING = 7.5, 7.0, 13.0, 4.0
_MEASURED_ROWS = 200
_MAX_COLUMN_WIDTH = 170.0
# What is left of a text where the words of titles are whole, and where they are not.
_TEXT_WIDTH, _LEAST_TEXT_WIDTH = 80.0, 44.0
_MOST_AIR = 1.8  # times what a column needs


@dataclass(frozen=True, slots=True)
class TextTable:
    """A section as text: what of it is shown, and how many rows it has in all."""

    name: str
    columns: Sequence[ShownColumn]
    rows: Sequence[Sequence[str]]
    totals: Sequence[str] | None
    row_count: int


def draw_table(pen: Pen, table: TextTable) -> None:
    """The table from the pen's place on, over as many pages as it takes."""
    widths = _widths(table)
    if not pen.room(70):
        pen.new_page()
    pen.y -= 20
    pen.text(MARGIN, pen.y, fitted(table.name, WIDTH - 2 * MARGIN, 11, bold=True), 11, bold=True)
    pen.y -= 8
    _draw_header(pen, table, widths)
    for index, row in enumerate(table.rows):
        if not pen.room(ROW_HEIGHT):
            pen.new_page()
            _draw_header(pen, table, widths)
        _draw_row(pen, table, widths, row, tint=index % 2 == 1)
    _draw_end(pen, table, widths)


def _draw_end(pen: Pen, table: TextTable, widths: Sequence[float]) -> None:
    left_out = table.row_count - len(table.rows)
    if not pen.room(3 * ROW_HEIGHT):
        pen.new_page()
        _draw_header(pen, table, widths)
    if left_out > 0:
        pen.y -= ROW_HEIGHT
        note = _("%(count)s more rows are left out here; the other formats have all of them.") % {
            "count": number_format(left_out, use_l10n=True, force_grouping=True)
        }
        pen.text(MARGIN, pen.y + 3, note, SIZE, bold=True, color="#9a4b00")
    if not table.row_count:
        pen.y -= ROW_HEIGHT
        pen.text(MARGIN + PADDING, pen.y + 3, _("Nothing in this period."), SIZE, color=SUBTLE)
    if table.totals is not None:
        pen.line(MARGIN, pen.y, MARGIN + sum(widths), pen.y, INK, 0.8)
        _draw_row(pen, table, widths, table.totals, bold=True)


def _draw_header(pen: Pen, table: TextTable, widths: Sequence[float]) -> None:
    titles = [
        wrapped(column.title, width - 2 * PADDING, HEADER_SIZE, bold=True, lines=6)
        for column, width in zip(table.columns, widths, strict=True)
    ]
    height = max(len(lines) for lines in titles) * (HEADER_SIZE + 2) + 5
    pen.y -= height
    pen.box(MARGIN, pen.y, sum(widths), height, TINT)
    x = MARGIN
    for column, width, lines in zip(table.columns, widths, titles, strict=True):
        for index, line in enumerate(reversed(lines)):
            y = pen.y + 4 + index * (HEADER_SIZE + 2)
            _draw_cell(pen, x, y, width, column, line, HEADER_SIZE, bold=True)
        x += width
    pen.line(MARGIN, pen.y, x, pen.y, LINE, 0.8)


def _draw_row(
    pen: Pen, table: TextTable, widths: Sequence[float], row: Sequence[str], *, bold: bool = False, tint: bool = False
) -> None:
    pen.y -= ROW_HEIGHT
    if tint:
        pen.box(MARGIN, pen.y, sum(widths), ROW_HEIGHT, "#f7f9fc")
    x = MARGIN
    for column, width, text in zip(table.columns, widths, row, strict=True):
        if text:
            shown = fitted(text, width - 2 * PADDING, SIZE, bold=bold)
            _draw_cell(pen, x, pen.y + 4, width, column, shown, SIZE, bold=bold)
        x += width


def _draw_cell(
    pen: Pen, x: float, y: float, width: float, column: ShownColumn, text: str, size: float, *, bold: bool
) -> None:
    if column.kind in TEXT_KINDS | TIME_KINDS:
        pen.text(x + PADDING, y, text, size, bold=bold)
    else:
        pen.text(x + width - PADDING, y, text, size, bold=bold, align="right")


def _widths(table: TextTable) -> list[float]:
    """The widths the cells need, a little wider where the page has room.

    Where it has not, texts give way, then the words of titles: half a number or half a time would be another one.
    """
    sample = [*table.rows[:_MEASURED_ROWS], *([table.totals] if table.totals is not None else [])]
    wanted, titled, least = [], [], []
    for index, column in enumerate(table.columns):
        words = max([text_width(word, HEADER_SIZE, bold=True) for word in column.title.split()], default=0.0)
        cells = max([text_width(row[index][:80], SIZE, bold=row is table.totals) for row in sample], default=0.0)
        is_text = column.kind in TEXT_KINDS
        wanted.append(_with_padding(min(max(words, cells, 24.0), _MAX_COLUMN_WIDTH)))
        titled.append(min(wanted[-1], _with_padding(max(words, _TEXT_WIDTH if is_text else cells))))
        least.append(min(titled[-1], _LEAST_TEXT_WIDTH if is_text else _with_padding(cells)))
    room = WIDTH - 2 * MARGIN
    if sum(wanted) <= room:
        scale = min(_MOST_AIR, room / sum(wanted))
        return [width * scale for width in wanted]
    for low, high in ((titled, wanted), (least, titled)):
        if sum(low) < room:
            share = (room - sum(low)) / (sum(high) - sum(low))
            return [narrow + (wide - narrow) * share for narrow, wide in zip(low, high, strict=True)]
    return [width * room / sum(least) for width in least]


def _with_padding(width: float) -> float:
    return width + 2 * PADDING + 1
