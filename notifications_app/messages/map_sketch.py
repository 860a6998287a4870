"""A small picture of the place of an event: the track there, the geofence, the place. No map of others."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks_app.geo.areas import corridor_width_meters
from tasks_app.geo.distance import METERS_PER_DEGREE

if TYPE_CHECKING:
    from PIL import ImageDraw

WIDTH, HEIGHT = 756, 315
# Drawn larger and made smaller, so that lines are smooth.
OVERSAMPLING = 2
MARGIN = 42
SMALLEST_SPAN_METERS = 300.0
# Of a large geofence only what lies around the place is shown.
LARGEST_SPAN_METERS = 20_000.0
PAPER, INK, TRACK, FENCE, FENCE_EDGE, PLACE = "#eef2f4", "#3d4750", "#0b5cad", "#bfe3dc", "#2a8a7c", "#b3261e"
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Sketch:
    """The contents of a sketch, in degrees as (latitude, longitude): place, track there (oldest first), geofence area."""

    place: Point
    track: Sequence[Point] = ()
    area: dict[str, Any] | None = None


def draw(sketch: Sketch) -> bytes:
    """The picture as PNG, north up, with a scale bar in metres or kilometres."""
    view = _View(sketch)
    from PIL import Image, ImageDraw  # 4 MB, which most processes never need

    image = Image.new("RGB", (WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING), PAPER)
    pen = ImageDraw.Draw(image)
    if sketch.area is not None:
        _draw_area(pen, sketch.area, view)
    _draw_track(pen, [view.pixel(point) for point in [*sketch.track, sketch.place]])
    _draw_place(pen, view.pixel(sketch.place))
    _draw_scale(pen, view)
    output = io.BytesIO()
    small = image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    small.quantize(64, dither=Image.Dither.NONE).save(output, "PNG")
    return output.getvalue()


class _View:
    """From degrees to pixels: equirectangular around the place, which is near enough over a few kilometres."""

    def __init__(self, sketch: Sketch) -> None:
        self._origin = sketch.place
        self._shrink = max(1e-6, math.cos(math.radians(sketch.place[0])))
        shown = [self._meters(point) for point in [sketch.place, *sketch.track]]
        xs, ys = [x for x, _y in shown], [y for _x, y in shown]
        if sketch.area is not None:
            xs, ys = self._with_area(sketch.area, xs, ys)
        spans = max(max(xs) - min(xs), 1.0), max(max(ys) - min(ys), 1.0)
        fitting = max(spans[0] / (WIDTH - 2 * MARGIN), spans[1] / (HEIGHT - 2 * MARGIN))
        self.meters_per_pixel = max(fitting, SMALLEST_SPAN_METERS / (WIDTH - 2 * MARGIN)) / OVERSAMPLING
        self._middle = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2

    def pixel(self, point: Point) -> Point:
        x, y = self._meters(point)
        return (
            WIDTH * OVERSAMPLING / 2 + (x - self._middle[0]) / self.meters_per_pixel,
            HEIGHT * OVERSAMPLING / 2 - (y - self._middle[1]) / self.meters_per_pixel,
        )

    def _meters(self, point: Point) -> Point:
        # The shorter arc of the globe, so that a track over the 180th meridian stays one.
        east = (point[1] - self._origin[1] + 540.0) % 360.0 - 180.0
        return east * self._shrink * float(METERS_PER_DEGREE), (point[0] - self._origin[0]) * float(METERS_PER_DEGREE)

    def _with_area(self, area: dict[str, Any], xs: list[float], ys: list[float]) -> tuple[list[float], list[float]]:
        lines, reach = _lines(area)
        found = [self._meters(point) for line in lines for point in line]
        near = LARGEST_SPAN_METERS / 2
        all_xs = [*xs, *(min(max(x + side, -near), near) for x, _y in found for side in (-reach, reach))]
        all_ys = [*ys, *(min(max(y + side, -near), near) for _x, y in found for side in (-reach, reach))]
        return all_xs, all_ys


def _lines(area: dict[str, Any]) -> tuple[list[list[Point]], float]:
    """The lines of an area as (latitude, longitude), and how far around them it reaches in metres."""
    kind, coordinates = area["type"], area["coordinates"]
    if kind == "Circle":
        return [[(coordinates[1], coordinates[0])]], float(area["radius_meters"])
    if kind == "LineString":
        return [[(one[1], one[0]) for one in coordinates]], corridor_width_meters(area) / 2
    polygons = [coordinates] if kind == "Polygon" else coordinates
    return [[(one[1], one[0]) for one in ring] for polygon in polygons for ring in polygon], 0.0


def _draw_area(pen: ImageDraw.ImageDraw, area: dict[str, Any], view: _View) -> None:
    lines, reach = _lines(area)
    pixels = [[view.pixel(point) for point in line] for line in lines]
    reach_pixels = reach / view.meters_per_pixel
    if area["type"] == "Circle":
        _disc(pen, pixels[0][0], reach_pixels, FENCE, FENCE_EDGE)
    elif area["type"] == "LineString":
        pen.line(pixels[0], fill=FENCE, width=max(2, round(2 * reach_pixels)), joint="curve")
        for end in (pixels[0][0], pixels[0][-1]):
            _disc(pen, end, reach_pixels, FENCE)
        pen.line(pixels[0], fill=FENCE_EDGE, width=2 * OVERSAMPLING, joint="curve")
    else:
        for ring in pixels:
            pen.polygon(ring, fill=FENCE)
        for ring in pixels:
            pen.line([*ring, ring[0]], fill=FENCE_EDGE, width=3 * OVERSAMPLING, joint="curve")


def _draw_track(pen: ImageDraw.ImageDraw, pixels: list[Point]) -> None:
    if len(pixels) < 2:
        return
    for colour, width in (("#ffffff", 8), (TRACK, 5)):
        pen.line(pixels, fill=colour, width=width * OVERSAMPLING, joint="curve")
    _disc(pen, pixels[0], 6 * OVERSAMPLING, "#ffffff", TRACK)


def _draw_place(pen: ImageDraw.ImageDraw, at: Point) -> None:
    _disc(pen, at, 14 * OVERSAMPLING, "#ffffff")
    _disc(pen, at, 10 * OVERSAMPLING, PLACE)
    _disc(pen, at, 4 * OVERSAMPLING, "#ffffff")


def _draw_scale(pen: ImageDraw.ImageDraw, view: _View) -> None:
    meters = _round_length(WIDTH * OVERSAMPLING * view.meters_per_pixel / 5)
    length = meters / view.meters_per_pixel
    left, bottom = 18.0 * OVERSAMPLING, (HEIGHT - 18.0) * OVERSAMPLING
    tick = 6 * OVERSAMPLING
    line = [(left, bottom - tick), (left, bottom), (left + length, bottom), (left + length, bottom - tick)]
    pen.line(line, fill=INK, width=3 * OVERSAMPLING)
    label = f"{meters / 1000:g} km" if meters >= 1000 else f"{meters:g} m"
    from PIL import ImageFont

    font = ImageFont.load_default(size=20 * OVERSAMPLING)
    pen.text((left + length / 2, bottom - 9 * OVERSAMPLING), label, fill=INK, font=font, anchor="mb")


def _round_length(most: float) -> float:
    """The largest of 1, 2, 5, 10, 20, ... that is at most `most`."""
    power = 10.0 ** math.floor(math.log10(max(most, 1.0)))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= max(most, 1.0))


def _disc(pen: ImageDraw.ImageDraw, at: Point, radius: float, colour: str, edge: str | None = None) -> None:
    box = (at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius)
    pen.ellipse(box, fill=colour, outline=edge, width=3 * OVERSAMPLING if edge else 0)
