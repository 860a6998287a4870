"""A chart as numbers for an inline SVG: bars, or along a track a line; nothing is loaded, its colours are the theme's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.formats import date_format, number_format

from reports_app.exporters import shown_column
from reports_app.models import Report
from reports_app.queries import TRACK_COLUMNS, Series
from reports_app.table import DisplaySettings
from reports_app.web.cells import SYMBOLS, shown_cell
from tasks_app.geo.motion_rules import MotionRules
from tasks_app.geo.reduction import column_of
from tasks_app.web.graphs import graph_of_columns

WIDTH, HEIGHT = 600, 160
GAP = 0.25  # of a bar's share of the width


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar in the units of the drawing, with its title."""

    x: str
    y: str
    width: str
    height: str
    title: str


def chart_of(series: Series, display: DisplaySettings, report: Report) -> dict[str, Any]:
    """Return the chart of a report for the template."""
    return _track_chart(series, display, report) if series.is_track else _bar_chart(series, display)


def _track_chart(series: Series, display: DisplaySettings, report: Report) -> dict[str, Any]:
    """Return a line over the whole range of the report."""
    y, start, end = (
        shown_column(series.y, display, SYMBOLS),
        report.range_start.timestamp(),
        report.range_end.timestamp(),
    )
    lows, highs = np.full(TRACK_COLUMNS, np.nan), np.full(TRACK_COLUMNS, np.nan)
    columns = column_of([name.timestamp() for name in series.names], start, end, TRACK_COLUMNS)
    lows[columns], highs[columns] = y.numbers(np.array(series.lows)), y.numbers(np.array(series.values))
    graph = graph_of_columns(lows, highs, start=start, end=end, max_gap_seconds=MotionRules.max_gap_seconds)
    part = (report.range_end - report.range_start) / 4
    quarters = [(report.range_start + part * number).astimezone(display.zone) for number in range(5)]
    return {
        "title": y.title,
        "graph": graph,
        "ceiling": number_format(graph.ceiling, force_grouping=True) if graph else "",
        "most": shown_cell(y, max(series.values), display.zone),
        "quarters": [date_format(at, "j M H:i") for at in quarters],
    }


def _bar_chart(series: Series, display: DisplaySettings) -> dict[str, Any]:
    x, y, zone = shown_column(series.x, display), shown_column(series.y, display, SYMBOLS), display.zone
    most = max(series.values) or 1.0
    share = WIDTH / len(series.values)
    names = [str(shown_cell(x, name, zone)) for name in series.names]
    bars = [
        Bar(
            x=f"{number * share + share * GAP / 2:.2f}",
            y=f"{HEIGHT - value / most * HEIGHT:.2f}",
            width=f"{share * (1 - GAP):.2f}",
            height=f"{max(0.0, value / most * HEIGHT):.2f}",
            title=f"{name}: {shown_cell(y, value, zone)}",
        )
        for number, (name, value) in enumerate(zip(names, series.values, strict=True))
    ]
    return {
        "title": y.title,
        "by": x.title,
        "width": WIDTH,
        "height": HEIGHT,
        "bars": bars,
        "first": names[0],
        "last": names[-1],
        "most": shown_cell(y, most, zone),
        "count": number_format(len(bars), force_grouping=True),
    }
