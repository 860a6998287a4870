"""The totals of two reports of one kind beside each other."""

from __future__ import annotations

from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from reports_app.exporters import shown_columns
from reports_app.models import Report
from reports_app.queries import stored_table
from reports_app.table import DisplaySettings, Section, translated
from reports_app.web.cells import SYMBOLS, shown_cell


def compared_sections(report: Report, other: Report, display: DisplaySettings) -> list[dict[str, Any]]:
    """Return the figures of the rows of totals that both ready reports have: [{"name", "rows": [(title, figure, figure
    of the other, change in percent or "")]}], and the number of rows of sections without totals."""
    others = {section.key: section for section in stored_table(other.pk).sections}
    pairs = [(section, others[section.key]) for section in stored_table(report.pk).sections if section.key in others]
    return [{"name": translated(one.name), "rows": _rows(one, two, display)} for one, two in pairs]


def _rows(section: Section, other: Section, display: DisplaySettings) -> list[tuple[str, ...]]:
    counts = (section.row_count or 0, other.row_count or 0)
    shown = (number_format(count, force_grouping=True) for count in counts)
    rows: list[tuple[str, ...]] = [(_("Rows"), *shown, _change(*counts))]
    totals, other_totals = section.total_row(), other.total_row()
    if totals is None or other_totals is None:
        return rows
    for column, one, two in zip(shown_columns(section, display, symbols=SYMBOLS), totals, other_totals, strict=True):
        if one is None and two is None:
            continue
        rows.append(
            (
                column.title,
                shown_cell(column, one, display.zone),
                shown_cell(column, two, display.zone),
                _change(one, two),
            )
        )
    return rows


def _change(now: Any, before: Any) -> str:
    if not isinstance(now, int | float) or not isinstance(before, int | float) or not before:
        return ""
    percent = round((now - before) / abs(before) * 100)
    return f"{'+' if percent > 0 else ''}{number_format(percent, force_grouping=True)} %"
