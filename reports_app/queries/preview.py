"""Previews of ready reports: the first rows of each section, and a chart over all rows of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports_app.models import Report
from reports_app.queries.content import preview_sections
from reports_app.table import NO_TIME, Chunk, Column, ColumnKind, Section, cell_of, translated
from tasks_app.geo.reduction import column_of, extremes

# Of these kinds, in this order, a column is worth a chart; along a track it is the speed.
CHARTED = (
    ColumnKind.DISTANCE_KM,
    ColumnKind.SPEED_KPH,
    ColumnKind.DURATION_SECONDS,
    ColumnKind.PERCENT,
    ColumnKind.INTEGER,
)
NAMING = (ColumnKind.DATE, ColumnKind.DATETIME, ColumnKind.TEXT, ColumnKind.LABEL)
TRACK_TIME = "fix_time"
MOST_BARS, TRACK_COLUMNS = 200, 600
MICROSECONDS = 1e6


@dataclass(frozen=True, slots=True)
class Series:
    """The figures of one column with the names of their rows: days, times or devices.

    Of more rows than a chart has bars, each value is the highest of some rows and has the name of its row, and `lows` are
    the lowest of the same rows. `is_track` says that the names are times along a track, between which lines may be drawn.
    """

    section: str
    x: Column
    y: Column
    names: list[Any]
    values: list[float]
    lows: list[float]
    is_track: bool = False


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
    """Return the first `rows` rows of each section and the chart, if any, of a report whose content is loaded.

    Reads one chunk of each section, and every chunk of the section that has the chart.
    """
    if not report.content:
        return [], None
    found = preview_sections(report.content, report.pk, rows)
    series = next((each for part in found if (each := _series_of(report, part["section"], part["row_count"]))), None)
    return [SectionPreview(part["section"], part["rows"], part["row_count"]) for part in found], series


def _series_of(report: Report, section: Section, row_count: int) -> Series | None:
    """Return the figures for a chart of a section: at least two rows, not all zero. None if it has no such column."""
    kinds = [column.kind for column in section.columns]
    naming = next((kinds.index(kind) for kind in NAMING if kind in kinds), None)
    if naming is None or row_count < 2:
        return None
    is_track = section.columns[naming].key == TRACK_TIME
    wanted = (ColumnKind.SPEED_KPH,) if is_track else CHARTED
    for charted in (kinds.index(kind) for kind in wanted if kind in kinds):
        chart = _Extremes(section.columns[naming], section.columns[charted])
        for chunk, columns in _placed(report, section, naming, is_track, row_count):
            chart.add(chunk.data[naming], chunk.data[charted], columns)
        if len(chart.highs) > 1 and any(value for value, _name in chart.highs.values()):
            return chart.series(section.key, is_track)
    return None


def _placed(
    report: Report, section: Section, naming: int, is_track: bool, row_count: int
) -> Iterator[tuple[Chunk, Any]]:
    """Yield each chunk with the places of its rows in the chart: by time along a track, else by number."""
    start, end = report.range_start.timestamp(), report.range_end.timestamp()
    before = 0
    for chunk in section.chunks():
        if is_track:
            times = np.asarray(chunk.data[naming])
            columns = column_of(times / MICROSECONDS, start, end, TRACK_COLUMNS)
            columns[times == NO_TIME] = 0
        else:
            numbers = np.arange(before, before + chunk.row_count)
            columns = column_of(numbers, 0, row_count, min(row_count, MOST_BARS))
        yield chunk, columns
        before += chunk.row_count


class _Extremes:
    """The lowest and highest values in each place of a chart so far, the highest with the name of its row."""

    def __init__(self, x: Column, y: Column) -> None:
        self.x, self.y = x, y
        self.lows: dict[int, float] = {}
        self.highs: dict[int, tuple[float, Any]] = {}

    def add(self, names: Any, values: Any, columns: Any) -> None:
        numbers = np.asarray(values, dtype=np.float64)
        for column, lowest, highest in zip(*extremes(columns, numbers), strict=True):
            place, low, high = int(column), float(numbers[lowest]), float(numbers[highest])
            self.lows[place] = min(low, self.lows.get(place, low))
            if place not in self.highs or high > self.highs[place][0]:
                self.highs[place] = (high, cell_of(self.x, names, int(highest)))

    def series(self, section: str, is_track: bool) -> Series:
        places = sorted(self.highs)
        names, values = [self.highs[at][1] for at in places], [self.highs[at][0] for at in places]
        return Series(section, self.x, self.y, names, values, [self.lows[at] for at in places], is_track)
