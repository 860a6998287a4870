"""A bar chart as numbers for an inline SVG; nothing is loaded, and its colours are the theme's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format

from reports_app.admin.cells import shown_cell
from reports_app.exporters import shown_column
from reports_app.queries import Series
from reports_app.table import DisplaySettings

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


def chart_of(series: Series, display: DisplaySettings) -> dict[str, Any]:
    """Return the chart for the template."""
    x, y, zone = shown_column(series.x, display), shown_column(series.y, display), display.zone
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
        "count": number_format(len(bars)),
    }
