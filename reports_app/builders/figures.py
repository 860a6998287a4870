"""Figures of a device over parts of a range (days). Pure: arrays in, numbers out.

A part's figures include the step that crosses its border, split there: the way and the time between the last fix of one
day and the first of the next are lost by nobody, and the sum over the parts is the figure of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tasks_app.geo.distance import FloatArray
from tasks_app.geo.motion import BoolArray, segment_metrics
from tasks_app.geo.speed import derive_speeds_kph, outliers

# Ignition "on" before and after a longer silence does not prove that the engine ran all the time.
MAX_ENGINE_STEP_SECONDS = 3600.0
METERS_PER_KM = 1000.0
KPH_PER_MPS = 3.6


@dataclass(frozen=True, slots=True)
class Figures:
    """What a device did. Idle (standing with the engine on) is part of stopped; `driven_meters` leaves out silences."""

    distance_meters: float = 0.0
    driven_meters: float = 0.0
    moving_seconds: float = 0.0
    stopped_seconds: float = 0.0
    idle_seconds: float = 0.0
    engine_seconds: float = 0.0
    max_speed_kph: float = 0.0
    fix_count: int = 0

    @property
    def average_speed_kph(self) -> float:
        """Mean speed while moving."""
        return self.driven_meters / self.moving_seconds * KPH_PER_MPS if self.moving_seconds else 0.0

    @property
    def distance_km(self) -> float:
        return self.distance_meters / METERS_PER_KM


@dataclass(frozen=True, slots=True)
class Columns:
    """Fixes of one device in time order, arrays of shape (n,): epoch seconds, degrees, km/h, and ignition 1, 0 or NaN."""

    times: FloatArray
    latitudes: FloatArray
    longitudes: FloatArray
    speeds_kph: FloatArray
    ignition: FloatArray

    def part(self, chosen: slice | BoolArray) -> Columns:
        """The chosen fixes."""
        return Columns(
            self.times[chosen],
            self.latitudes[chosen],
            self.longitudes[chosen],
            self.speeds_kph[chosen],
            self.ignition[chosen],
        )


def total(figures: Iterable[Figures]) -> Figures:
    """The figures of several parts, or devices, together."""
    found = list(figures)
    return Figures(
        distance_meters=sum(each.distance_meters for each in found),
        driven_meters=sum(each.driven_meters for each in found),
        moving_seconds=sum(each.moving_seconds for each in found),
        stopped_seconds=sum(each.stopped_seconds for each in found),
        idle_seconds=sum(each.idle_seconds for each in found),
        engine_seconds=sum(each.engine_seconds for each in found),
        max_speed_kph=max((each.max_speed_kph for each in found), default=0.0),
        fix_count=sum(each.fix_count for each in found),
    )


def figures_of_parts(columns: Columns, edges: Sequence[float]) -> list[Figures]:
    """Figures of each part `[edges[i], edges[i + 1])` in epoch seconds. `columns` may reach beyond the edges and should,
    by a fix on either side."""
    clean = _with_edges(_believable(columns), np.asarray(edges, dtype=np.float64))
    bounds = np.searchsorted(clean.times, edges)
    counts = np.diff(np.searchsorted(columns.times, edges))
    return [
        _figures(clean.part(slice(first, _upper(clean, last, edge))), int(count))
        for first, last, edge, count in zip(bounds[:-1], bounds[1:], edges[1:], counts, strict=True)
    ]


def _believable(columns: Columns) -> Columns:
    """Without the fixes that jumped away, and with a speed at every fix."""
    kept = columns.part(~outliers(columns.times, columns.latitudes, columns.longitudes))
    speeds = derive_speeds_kph(kept.times, kept.latitudes, kept.longitudes, kept.speeds_kph)
    return Columns(kept.times, kept.latitudes, kept.longitudes, speeds, kept.ignition)


def _with_edges(columns: Columns, edges: FloatArray) -> Columns:
    """`columns` with a fix, on the line between its neighbours, at each edge that lies between two fixes."""
    times = columns.times
    if len(times) < 2:
        return columns
    new = edges[(edges > times[0]) & (edges < times[-1])]
    new = new[times[np.searchsorted(times, new)] != new]
    places = np.searchsorted(times, new)
    unwrapped = np.unwrap(columns.longitudes, period=360.0)  # a way across the antimeridian goes the short way
    longitudes = (np.interp(new, times, unwrapped) + 180.0) % 360.0 - 180.0
    return Columns(
        np.insert(times, places, new),
        np.insert(columns.latitudes, places, np.interp(new, times, columns.latitudes)),
        np.insert(columns.longitudes, places, longitudes),
        np.insert(columns.speeds_kph, places, np.interp(new, times, columns.speeds_kph)),
        np.insert(columns.ignition, places, columns.ignition[places - 1]),
    )


def _upper(columns: Columns, last: int, edge: float) -> int:
    """The end of a part, with the fix on its upper edge: the step that leads there belongs to it."""
    return last + 1 if last < len(columns.times) and columns.times[last] == edge else last


def _figures(part: Columns, fix_count: int) -> Figures:
    metrics = segment_metrics(part.times, part.latitudes, part.longitudes, part.speeds_kph, part.ignition)
    return Figures(
        distance_meters=metrics.distance_meters,
        driven_meters=metrics.average_speed_kph / KPH_PER_MPS * metrics.moving_seconds,
        moving_seconds=metrics.moving_seconds,
        stopped_seconds=metrics.stopped_seconds,
        idle_seconds=metrics.idle_seconds,
        engine_seconds=_engine_seconds(part),
        max_speed_kph=metrics.max_speed_kph,
        fix_count=fix_count,
    )


def _engine_seconds(part: Columns) -> float:
    seconds = np.diff(part.times)
    runs = (part.ignition[:-1] == 1.0) & (part.ignition[1:] == 1.0) & (seconds <= MAX_ENGINE_STEP_SECONDS)
    return float(seconds[runs].sum())
