"""Drawings of a PDF report: where a device went, and how far on each day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from django.utils.formats import number_format
from reportlab.lib.colors import HexColor

from reports_app.exporters.pdf_pen import ACCENT, INK, LINE, SUBTLE, TINT, Pen
from tasks_app.geo.antimeridian import unwrapped_longitudes
from tasks_app.geo.units import DistanceUnit, in_unit, unit_symbol

MAX_POINTS = 4_000
_MAX_BAR_WIDTH = 48.0
_KM_PER_DEGREE = 111.195  # of latitude, on a sphere of 6 371 km
_START_COLOR, _END_COLOR = "#178a4c", "#c62f3b"


@dataclass(slots=True)
class Sketch:
    """Points of a map sketch: lines for tracks, dots for the rest. Every n-th point is kept, n growing as they come.

    Longitudes go on beyond 180 degrees where the way does, as a map without an edge needs them.
    """

    lines: list[list[tuple[float, float]]] = field(default_factory=list)
    dots: list[tuple[float, float]] = field(default_factory=list)
    _step: int = 1
    _seen: int = 0
    _last_longitude: float | None = None

    def add_track(
        self, latitudes: npt.NDArray[np.float64], longitudes: npt.NDArray[np.float64], starts: npt.NDArray[np.bool_]
    ) -> None:
        """The next points of a track; `starts` where a new line begins."""
        first = longitudes[0] if self._last_longitude is None else self._last_longitude
        longitudes = np.unwrap([first, *longitudes], period=360.0)[1:]
        self._last_longitude = float(longitudes[-1])
        wanted = starts | ((np.arange(len(starts)) + self._seen) % self._step == 0)
        wanted[-1] = True  # where the track is at the end of each chunk, and so at its own end
        self._seen += len(starts)
        points = zip(longitudes[wanted].tolist(), latitudes[wanted].tolist(), starts[wanted].tolist(), strict=True)
        for longitude, latitude, is_start in points:
            if is_start or not self.lines:
                self.lines.append([])
            self.lines[-1].append((longitude, latitude))
        while sum(map(len, self.lines)) > MAX_POINTS:
            self._step *= 2
            self.lines = [[*line[:-1:2], line[-1]] for line in self.lines if line]
            if len(self.lines) > MAX_POINTS // 2:
                self.lines = self.lines[::2]

    def add_dots(self, latitudes: npt.NDArray[np.float64], longitudes: npt.NDArray[np.float64]) -> None:
        room = MAX_POINTS - len(self.dots)
        if self._last_longitude is None and len(longitudes):
            self._last_longitude = float(longitudes[0])
        around = unwrapped_longitudes(longitudes, self._last_longitude or 0.0)
        self.dots += list(zip(around.tolist(), latitudes.tolist(), strict=True))[: max(0, room)]

    @property
    def points(self) -> list[tuple[float, float]]:
        return [*(point for line in self.lines for point in line), *self.dots]


def draw_sketch(pen: Pen, sketch: Sketch, x: float, y: float, width: float, height: float, unit: DistanceUnit) -> None:
    """The sketch in a frame whose lower left corner is (x, y), north up, with a scale."""
    frame = _Frame.around(sketch.points, x + 12, y + 12, width - 24, height - 24)
    pen.box(x, y, width, height, TINT)
    canvas = pen.canvas
    canvas.setStrokeColor(HexColor(ACCENT))
    canvas.setLineWidth(1.4)
    canvas.setLineJoin(1)
    for line in sketch.lines:
        path = canvas.beginPath()
        for index, point in enumerate(line):
            (path.lineTo if index else path.moveTo)(*frame.place(point))
        canvas.drawPath(path, stroke=1, fill=0)
    for point in sketch.dots:
        _dot(pen, frame.place(point), 2.2, ACCENT)
    if sketch.lines:
        _dot(pen, frame.place(sketch.lines[0][0]), 4, _START_COLOR)
        _dot(pen, frame.place(sketch.lines[-1][-1]), 4, _END_COLOR)
    _draw_scale(pen, frame, x + 14, y + 14, unit)


def draw_bars(
    pen: Pen, labels: Sequence[str], values: Sequence[float], title: str, area: tuple[float, float, float, float]
) -> None:
    """A column for each value in (x, y, width, height), with the highest one's figure and some of the labels."""
    x, y, width, height = area
    pen.text(x, y + height - 10, title, 9, bold=True)
    floor, top = y + 16, y + height - 34
    highest = max(values, default=0.0) or 1.0
    step = width / max(len(values), 1)
    every = math.ceil(len(values) * 52 / width)
    pen.line(x, floor, x + width, floor)
    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        left = x + index * step
        bar = (top - floor) * value / highest
        thick = min(step * 0.7, _MAX_BAR_WIDTH)
        pen.box(left + (step - thick) / 2, floor, thick, bar, ACCENT)
        if value == highest:
            pen.text(left + step / 2, floor + bar + 4, number_format(value, 1, force_grouping=True), 7, align="center")
        if index % every == 0:
            pen.text(left + step / 2, floor - 10, label, 6.5, color=SUBTLE, align="center")


@dataclass(frozen=True, slots=True)
class _Frame:
    """An equirectangular map of a small area: true to shape at its middle latitude."""

    x: float
    y: float
    west: float
    south: float
    squeeze: float
    points_per_degree: float

    @classmethod
    def around(cls, points: Sequence[tuple[float, float]], x: float, y: float, width: float, height: float) -> _Frame:
        longitudes, latitudes = zip(*points, strict=True)
        west, east, south, north = min(longitudes), max(longitudes), min(latitudes), max(latitudes)
        squeeze = max(1e-6, math.cos(math.radians((south + north) / 2)))
        across, up = max((east - west) * squeeze, 1e-4), max(north - south, 1e-4)
        scale = min(width / across, height / up)
        x += (width - (east - west) * squeeze * scale) / 2
        y += (height - (north - south) * scale) / 2
        return cls(x, y, west, south, squeeze, scale)

    def place(self, point: tuple[float, float]) -> tuple[float, float]:
        longitude, latitude = point
        return (
            self.x + (longitude - self.west) * self.squeeze * self.points_per_degree,
            self.y + (latitude - self.south) * self.points_per_degree,
        )


def _dot(pen: Pen, place: tuple[float, float], radius: float, color: str) -> None:
    pen.canvas.setFillColor(HexColor(color))
    pen.canvas.setStrokeColor(HexColor("#ffffff"))
    pen.canvas.setLineWidth(0.8)
    pen.canvas.circle(*place, radius, stroke=1, fill=1)


def _draw_scale(pen: Pen, frame: _Frame, x: float, y: float, unit: DistanceUnit) -> None:
    """A bar of a round length, some 80 points long."""
    points_per_unit = frame.points_per_degree / _KM_PER_DEGREE / in_unit(1.0, unit)
    wanted = 80 / points_per_unit
    size = 10.0 ** math.floor(math.log10(wanted))
    length = next(size * factor for factor in (5, 2, 1) if size * factor <= wanted)
    pen.box(x - 4, y - 5, length * points_per_unit + 8, 21, "#ffffff")
    pen.line(x, y, x + length * points_per_unit, y, INK, 1.2)
    text = number_format(length, max(0, -math.floor(math.log10(length))), force_grouping=True)
    pen.text(x, y + 5, f"{text} {unit_symbol(unit)}", 7, color=SUBTLE)
    pen.line(x, y - 2, x, y + 2, LINE)
