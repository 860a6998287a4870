"""The size of the database over time as inline SVG: past, expected growth, and the budget. No script, no other host."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from tasks_app.admin.common import format_bytes
from tasks_app.queries.storage_forecast import StorageForecast

WIDTH, HEIGHT = 720.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 8.0, 8.0, 22.0, 24.0
# As far into the future as the chart looks into the past, and no less than this.
MIN_AHEAD_DAYS = 14
Point = tuple[date, float]


def storage_svg(found: StorageForecast) -> SafeString | str:
    """Draw the samples; empty text before the second day."""
    if len(found.history) < 2:
        return ""
    past: list[Point] = [(day, float(size)) for day, size in found.history]
    (first, _size), (today, size) = past[0], past[-1]
    ahead = max(MIN_AHEAD_DAYS, (today - first).days)
    future = [(today, size), (today + timedelta(days=ahead), max(0.0, size + ahead * (found.bytes_per_day or 0)))]
    top = max(value for _day, value in [*past, *future])
    shows_budget = 0 < found.budget_bytes <= top * 3
    scale = _Scale(first, future[-1][0], max(top, found.budget_bytes if shows_budget else 0) * 1.05 or 1.0)
    return format_html(
        '<svg class="tk-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}<path class="is-past" d="{}"/>'
        '<path class="is-future" d="{}"/><circle cx="{}" cy="{}" r="3.5"/></svg>',
        int(WIDTH),
        int(HEIGHT),
        _summary(found, first),
        _grid(scale),
        _days(scale, [first, today, future[-1][0]]),
        _budget(scale, found.budget_bytes) if shows_budget else "",
        scale.line(past),
        scale.line(future),
        *scale.place(past[-1]),
    )


class _Scale:
    """From days and bytes to the drawing's units."""

    def __init__(self, first: date, last: date, top: float) -> None:
        self.first = first
        self.days = max(1, (last - first).days)
        self.top = top

    def place(self, point: Point) -> tuple[float, float]:
        x = LEFT + (point[0] - self.first).days / self.days * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - point[1] / self.top * (HEIGHT - TOP - BOTTOM)
        return round(x, 1), round(y, 1)

    def line(self, points: Sequence[Point]) -> str:
        return "M" + " L".join("{} {}".format(*self.place(point)) for point in points)


def _grid(scale: _Scale) -> SafeString:
    steps = [scale.top * share for share in (0.0, 1 / 3, 2 / 3, 1.0)]
    rows = ((scale.place((scale.first, value))[1], format_bytes(round(value))) for value in steps)
    return format_html_join(
        "",
        f'<line class="is-grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{{0}}" y2="{{0}}"/>'
        f'<text x="{LEFT}" y="{{1}}">{{2}}</text>',
        ((y, round(y - 4, 1), label) for y, label in rows),
    )


def _days(scale: _Scale, days: Sequence[date]) -> SafeString:
    anchors = ("start", "middle", "end")
    rows = (
        (scale.place((day, 0.0))[0], anchor, date_format(day, "SHORT_DATE_FORMAT"))
        for day, anchor in zip(days, anchors, strict=True)
    )
    return format_html_join("", f'<text x="{{}}" y="{HEIGHT - 6}" text-anchor="{{}}">{{}}</text>', rows)


def _budget(scale: _Scale, budget_bytes: int) -> SafeString:
    y = scale.place((scale.first, budget_bytes))[1]
    return format_html(
        '<line class="is-budget" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        '<text class="is-budget" x="{}" y="{}" text-anchor="end">{}</text>',
        *(LEFT, WIDTH - RIGHT, y, y, WIDTH - RIGHT, round(y - 5, 1), _("Budget")),
    )


def _summary(found: StorageForecast, first: date) -> str:
    sizes = {"then": format_bytes(found.history[0][1]), "now": format_bytes(found.history[-1][1])}
    return _("Size of all tables: %(then)s on %(day)s, %(now)s now.") % {**sizes, "day": date_format(first)}
