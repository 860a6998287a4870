"""Previews of ready reports: the first rows of each section, and a chart. One chunk of each section is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports_app.models import Report
from reports_app.queries.content import preview_sections
from reports_app.table import Column, ColumnKind, Section, translated

# Of these kinds, in this order, a column is worth a chart.
CHARTED = (
    ColumnKind.DISTANCE_KM,
    ColumnKind.SPEED_KPH,
    ColumnKind.DURATION_SECONDS,
    ColumnKind.PERCENT,
    ColumnKind.INTEGER,
)
NAMING = (ColumnKind.DATE, ColumnKind.DATETIME, ColumnKind.TEXT, ColumnKind.LABEL)
MOST_POINTS = 200


@dataclass(frozen=True, slots=True)
class Series:
    """The figures of one column with the names of their rows: days, times or devices."""

    section: str
    x: Column
    y: Column
    names: list[Any]
    values: list[float]


@dataclass(frozen=True, slots=True)
class SectionPreview:
    """The first rows of a section, of `row_count` in all."""

    section: Section
    rows: list[Sequence[Any]]
    row_count: int

    @property
    def name(self) -> str:
        return translated(self.section.name)


def preview_of(report: Report, *, rows: int) -> tuple[list[SectionPreview], Series | None]:
    """Return the first `rows` rows of each section and the chart, if any, of a report whose content is loaded."""
    if not report.content:
        return [], None
    found = preview_sections(report.content, report.pk, max(rows, MOST_POINTS))
    series = next((each for part in found if (each := series_of(part["section"], part["rows"]))), None)
    return [SectionPreview(part["section"], part["rows"][:rows], part["row_count"]) for part in found], series


def series_of(section: Section, rows: Sequence[Sequence[Any]]) -> Series | None:
    """Return the figures for a chart of a section: at least two rows, not all zero. None if it has no such column."""
    kinds = [column.kind for column in section.columns]
    naming = next((kinds.index(kind) for kind in NAMING if kind in kinds), None)
    if naming is None:
        return None
    for charted in (kinds.index(kind) for kind in CHARTED if kind in kinds):
        points = [(row[naming], row[charted]) for row in rows[:MOST_POINTS] if row[charted] is not None]
        if len(points) > 1 and any(value for _name, value in points):
            names, values = zip(*points, strict=True)
            return Series(section.key, section.columns[naming], section.columns[charted], list(names), list(values))
    return None
