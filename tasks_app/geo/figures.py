"""Figures of a device over parts of a range (days). Pure: arrays in, numbers out.

A step that crosses the border between two parts is split there by time: the way and the time between the last fix of one
day and the first of the next are lost by nobody, and the sum over the parts is the figure of the whole. Two things are
not split: the straight line over a silence belongs to the part in which it ended, and a part without any fix of its own
has none of the standing time of the silence around it, since nobody knows what happened there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from tasks_app.geo.distance import FloatArray
from tasks_app.geo.engine_time import engine_seconds, idle_seconds
from tasks_app.geo.motion import driven_tops_kph, mean_kph, tops_kph
from tasks_app.geo.speed import BoolArray
from tasks_app.geo.steps import Steps

METERS_PER_KM = 1000.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Driving figures of a device. Idle (standing with the engine on) is part of stopped, and of the engine's time;
    `driven_meters` leaves out silences."""

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
        return mean_kph(self.driven_meters, self.moving_seconds, self.max_speed_kph)

    @property
    def distance_km(self) -> float:
        return self.distance_meters / METERS_PER_KM


FIGURE_NAMES = tuple(field.name for field in fields(Figures))


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


def figures_of_parts(columns: Columns, steps: Steps, edges: Sequence[float]) -> list[Figures]:
    """Figures of each part `[edges[i], edges[i + 1])` in epoch seconds. `steps` are those of `columns`, which may reach
    beyond the edges and should, by the neighbourhood of `geo.steps` on either side."""
    borders = np.asarray(edges, dtype=np.float64)
    counts = np.diff(np.searchsorted(columns.times, borders))
    if len(steps) == 0:
        return [Figures(fix_count=int(count)) for count in counts]
    stopped = np.where(steps.gap, 0.0, steps.seconds - steps.driven_seconds)
    silent = np.where(counts > 0, _split(steps, steps.seconds * (steps.gap & ~steps.moved_gap), borders), 0.0)
    driven, moving = _split(steps, steps.driven_meters, borders), _split(steps, steps.driven_seconds, borders)
    engine = engine_seconds(steps, columns.times, columns.ignition)
    columns_of_parts = [
        driven + _at_end(steps, steps.meters * (steps.moved_gap & ~steps.jump), borders),
        driven,
        moving,
        silent + _split(steps, stopped, borders),
        _split(steps, idle_seconds(steps, engine), borders),
        _split(steps, engine, borders),
        _tops_kph(steps, driven, moving, borders),
        counts,
    ]
    return [Figures(*part) for part in zip(*(column.tolist() for column in columns_of_parts), strict=True)]


def moved_gap_seconds(steps: Steps, start: float, end: float) -> float:
    """How much of `[start, end)`, in epoch seconds, is silences after which the device was elsewhere."""
    if len(steps) == 0:
        return 0.0
    return float(_split(steps, steps.seconds * steps.moved_gap, np.array([start, end]))[0])


def _tops_kph(steps: Steps, driven: FloatArray, moving: FloatArray, borders: FloatArray) -> FloatArray:
    """The top speed of each part: of the driven steps that touch it and of what it drove."""
    tops = driven_tops_kph(steps)
    firsts = np.maximum(np.searchsorted(steps.times, borders[:-1], side="right") - 1, 0)
    ends = np.searchsorted(steps.times, borders[1:])
    highest = [np.max(tops[first:end], initial=0.0) for first, end in zip(firsts.tolist(), ends.tolist(), strict=True)]
    return tops_kph(highest, driven, moving)


def _split(steps: Steps, values: FloatArray, borders: FloatArray) -> FloatArray:
    """Sums of what each step is worth over the parts, steps split by time at the borders."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.diff(np.interp(borders, steps.times, sums))


def _at_end(steps: Steps, values: FloatArray, borders: FloatArray) -> FloatArray:
    """Sums of what each step is worth over the parts, each in the part in which it ended."""
    sums = np.concatenate([[0.0, 0.0], np.cumsum(values)])
    return np.diff(sums[np.searchsorted(steps.times, borders)])
