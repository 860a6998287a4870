"""The workbook around the rows: sheets with their headers, formats, print set-up and charts, made by XlsxWriter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from textwrap import wrap
from typing import Any

from reports_app.exporters.shown import ShownColumn, first_format, shown_columns
from reports_app.table import TEXT_KINDS, TIME_KINDS, ColumnKind, DisplaySettings, ReportTable, Section, translated
from tasks_app.utils.spreadsheets import cut_to_units, legible

MAX_ROWS = 1_048_576  # of a sheet, by the file format
MAX_NAME_LENGTH = 31  # of a sheet, by Excel

_FORBIDDEN_IN_NAME = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_NUMBER_FORMATS = {
    ColumnKind.INTEGER: "#,##0",
    ColumnKind.NUMBER: "#,##0.###",
    ColumnKind.DISTANCE_KM: "#,##0.00",
    ColumnKind.SPEED_KPH: "0.0",
    ColumnKind.ALTITUDE_METERS: "#,##0",
    ColumnKind.VOLUME_LITERS: "#,##0.0",
    ColumnKind.COURSE_DEGREES: "0",
    ColumnKind.DURATION_SECONDS: "[h]:mm:ss",
    ColumnKind.PERCENT: "0.0%",
    ColumnKind.LATITUDE: "0.000000",
    ColumnKind.LONGITUDE: "0.000000",
}
_DATE_PARTS = {"%Y": "yyyy", "%m": "mm", "%d": "dd", "%H": "hh", "%M": "mm", "%S": "ss"}
_LEFT = {"align": "left", "indent": 1}  # so that a text does not touch the number on its left
_LINE_HEIGHT = 15.0
_WIDTHS = {ColumnKind.TEXT: 28, ColumnKind.LABEL: 24, ColumnKind.DATETIME: 20, ColumnKind.DATE: 12}
_DEFAULT_WIDTH = 12
MAX_BARS, MAX_CHART_POINTS = 400, 10_000


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: `row_count` rows of `section` from its row `first_row` on, with the totals on the last one."""

    name: str
    section: Section
    columns: Sequence[ShownColumn]
    first_row: int
    row_count: int
    has_totals: bool


def plan_sheets(sections: Sequence[Section], display: DisplaySettings) -> list[Sheet]:
    """A sheet per section, more where it has more rows than fit. The sections must be counted."""
    taken: set[str] = set()
    return [sheet for section in sections for sheet in _sheets_of(section, display, taken)]


def make_skeleton(table: ReportTable, sheets: Sequence[Sheet], display: DisplaySettings) -> BytesIO:
    """The workbook, a few kilobytes, with a header on every sheet. Row 2 of each has an empty cell in the format of
    each column, row 3 one in the format of its totals: from which the writer of the rows reads the style of each cell."""
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    target = BytesIO()
    import xlsxwriter  # 2 MB, which most processes never need

    with xlsxwriter.Workbook(target, options) as workbook:
        workbook.set_properties({"title": legible(translated(table.title)), "subject": legible(table.subject)})
        look = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#E8EEF7"}
        headers = {True: workbook.add_format({**look, **_LEFT}), False: workbook.add_format({**look, "align": "right"})}
        for sheet in sheets:
            _add_sheet(workbook, sheet, headers, _page_header(table, display))
    return target


def sheet_name(wanted: str, taken: set[str]) -> str:
    """A name Excel accepts and no other sheet has (names that differ in case only are the same); added to `taken`."""
    base = (
        _FORBIDDEN_IN_NAME.sub(" ", legible(wanted)).strip().strip("'").strip()[:MAX_NAME_LENGTH].strip("'") or "Sheet"
    )
    base = f"{base} " if base.casefold() == "history" else base  # Excel keeps this name to itself
    name, number = base, 2
    while name.casefold() in taken:
        suffix = f" ({number})"
        name, number = base[: MAX_NAME_LENGTH - len(suffix)] + suffix, number + 1
    taken.add(name.casefold())
    return name


def _sheets_of(section: Section, display: DisplaySettings, taken: set[str]) -> Iterator[Sheet]:
    columns = shown_columns(section, display, symbols={ColumnKind.DATETIME: display.time_zone})
    capacity, row_count = MAX_ROWS - 2, section.row_count or 0  # a line each for the header and the totals
    for first in range(0, max(row_count, 1), capacity):
        count = min(capacity, row_count - first)
        is_last = first + count == row_count
        name = sheet_name(translated(section.name), taken)
        yield Sheet(name, section, columns, first, count, is_last and section.totals is not None)


def _add_sheet(workbook: Any, sheet: Sheet, headers: dict[bool, Any], page_header: str) -> None:
    found = workbook.add_worksheet(sheet.name)
    found.freeze_panes(1, 0)
    found.set_landscape()
    found.repeat_rows(0)
    found.fit_to_pages(1, 0)
    found.set_paper(9)  # A4
    found.set_header(page_header)
    found.set_footer("&C&P / &N")
    lines = 1
    for index, column in enumerate(sheet.columns):
        words = [len(word) + 3 for word in column.title.split()]
        width = max([_WIDTHS.get(column.kind, _DEFAULT_WIDTH), *words])
        lines = max(lines, len(wrap(column.title, width - 3)))  # room for the filter's button
        found.set_column(index, index, width)
        found.write_string(0, index, legible(column.title), headers[column.kind in TEXT_KINDS | TIME_KINDS])
        found.write_blank(1, index, None, _cell_format(workbook, column, {}))
        found.write_blank(2, index, None, _cell_format(workbook, column, {"bold": True, "top": 1}))
    found.set_row(0, lines * _LINE_HEIGHT + 3)
    found.autofilter(0, 0, sheet.row_count, len(sheet.columns) - 1)
    _add_chart(workbook, found, sheet)


def _cell_format(workbook: Any, column: ShownColumn, properties: dict[str, object]) -> Any:
    number_format = _date_format(column.kind) if column.kind in TIME_KINDS else _NUMBER_FORMATS.get(column.kind)
    align = _LEFT if column.kind in TEXT_KINDS | TIME_KINDS else {}
    return workbook.add_format({**properties, **align, **({"num_format": number_format} if number_format else {})})


def _date_format(kind: ColumnKind) -> str:
    """Return the active language's format of times or dates as a number format: yyyy-mm-dd, or dd/mm/yyyy in
    Portuguese."""
    found = first_format("DATETIME_INPUT_FORMATS" if kind is ColumnKind.DATETIME else "DATE_INPUT_FORMATS")
    for part, letters in _DATE_PARTS.items():
        found = found.replace(part, letters)
    return found


def _add_chart(workbook: Any, found: Any, sheet: Sheet) -> None:
    """A column per day of the first distance, or the speed along a track; no chart for other sheets and long ones."""
    kinds = [column.kind for column in sheet.columns]
    look: dict[str, Any]
    if kinds[0] is ColumnKind.DATE and ColumnKind.DISTANCE_KM in kinds and 1 < sheet.row_count <= MAX_BARS:
        chart, shown = workbook.add_chart({"type": "column"}), kinds.index(ColumnKind.DISTANCE_KM)
        look, axis = {"gap": 40}, {"date_axis": True, "num_format": _date_format(ColumnKind.DATE).strip("y-/.")}
    elif _is_short_track(sheet) and ColumnKind.SPEED_KPH in kinds:
        chart, shown = workbook.add_chart({"type": "scatter", "subtype": "straight"}), kinds.index(ColumnKind.SPEED_KPH)
        look, axis = {"line": {"width": 1.25}}, {"num_format": "hh:mm"}
    else:
        return
    last, title = sheet.row_count, legible(sheet.columns[shown].title)
    places = {"categories": [sheet.name, 1, 0, last, 0], "values": [sheet.name, 1, shown, last, shown]}
    chart.add_series({**places, **look, "name": title})
    chart.set_title({"name": title, "name_font": {"size": 12}})
    chart.set_legend({"none": True})
    chart.set_x_axis({"num_font": {"size": 8}, **axis})
    chart.set_size({"width": 720, "height": 320})
    found.insert_chart(1, len(kinds) + 1, chart)


def _is_short_track(sheet: Sheet) -> bool:
    return sheet.section.columns[0].key == "fix_time" and 1 < sheet.row_count <= MAX_CHART_POINTS


def _page_header(table: ReportTable, display: DisplaySettings) -> str:
    start, end = (
        timestamp.astimezone(display.zone).strftime("%Y-%m-%d %H:%M")
        for timestamp in (table.range_start, table.range_end)
    )
    # Of the 255 units that a header has, every & takes two.
    text = cut_to_units(legible(f"{translated(table.title)} · {table.subject}"), 100).replace("&", "&&")
    return f"&L{text}&R{start} - {end}"
