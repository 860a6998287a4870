"""Overspeed as episodes: one start and one end per stretch of driving too fast, with its peak and duration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import FloatArray
from tasks_app.geo.speed import DEFAULT_RULES

BoolArray = npt.NDArray[np.bool_]

DEFAULT_TOLERANCE_KPH = 5.0


@dataclass(frozen=True, slots=True)
class OverspeedState:
    """An episode still going on after a batch; `announced` once it lasted long enough to have been a start event."""

    limit_kph: float
    started_at: datetime
    peak_kph: float
    announced: bool = True


@dataclass(frozen=True, slots=True)
class OverspeedStart:
    """Announced at fix `index`; the episode began at `started_at`, earlier than that fix if it had to last a while."""

    index: int
    limit_kph: float
    speed_kph: float
    started_at: datetime


@dataclass(frozen=True, slots=True)
class OverspeedEnd:
    """Fix `index` shows that it is over: the first one back at or below the limit, or where no limit applies.

    After a silence it is the first fix after that, while the episode ended at the last one before, at `ended_at`.
    """

    index: int
    limit_kph: float
    peak_kph: float
    started_at: datetime
    ended_at: datetime
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class OverspeedResult:
    """Events in time order and the episode still going on, None when there is none."""

    events: list[OverspeedStart | OverspeedEnd]
    state: OverspeedState | None


def is_overspeed(
    speeds_kph: npt.ArrayLike, limits_kph: npt.ArrayLike, tolerance_kph: npt.ArrayLike = DEFAULT_TOLERANCE_KPH
) -> BoolArray:
    """Which fixes are fast enough to start an episode; NaN speeds and limits never are."""
    return np.asarray(speeds_kph, dtype=np.float64) > np.asarray(limits_kph, dtype=np.float64) + np.asarray(
        tolerance_kph
    )


def overspeed_episodes(
    times_seconds: npt.ArrayLike,
    speeds_kph: npt.ArrayLike,
    limits_kph: npt.ArrayLike,
    state: OverspeedState | None = None,
    *,
    tolerance_kph: float = DEFAULT_TOLERANCE_KPH,
    min_duration_seconds: float = 0.0,
    max_gap_seconds: float = DEFAULT_RULES.max_gap_seconds,
    previous_seconds: float | None = None,
) -> OverspeedResult:
    """Events of one device, its fixes in time order; arrays of shape (n,), times in epoch seconds, NaN limit = none.

    An episode starts above limit + tolerance and ends at or below the limit, so a speed between the two neither starts
    nor ends one. A fix without a speed changes nothing. An episode shorter than `min_duration_seconds` is never told.
    Over a silence longer than `max_gap_seconds` nobody knows the speed: an episode ends at the last fix before it, and
    speeding after it is another one. `previous_seconds` is the time of the device's last fix before these.
    """
    times = np.asarray(times_seconds, dtype=np.float64)
    speeds = np.asarray(speeds_kph, dtype=np.float64)
    limits = np.broadcast_to(np.asarray(limits_kph, dtype=np.float64), speeds.shape)
    starts_here = is_overspeed(speeds, limits, tolerance_kph)
    if state is None and not starts_here.any():
        return OverspeedResult([], None)
    earlier = _shifted(times, np.nan if previous_seconds is None else previous_seconds)
    after_silence = times - earlier > max_gap_seconds
    ends_here = (speeds <= limits) | np.isnan(limits) | (after_silence & ~starts_here)
    active = _active(starts_here, ends_here, state is not None)
    was_active = _shifted(active, state is not None)
    events: list[OverspeedStart | OverspeedEnd] = []
    cursor = 0
    for edge in np.flatnonzero((active != was_active) | (active & was_active & after_silence)).tolist():
        if state is not None:
            state = _advance(state, cursor, edge, times, speeds, min_duration_seconds, events)
            if state.announced:
                events.append(_end(state, edge, float(earlier[edge] if after_silence[edge] else times[edge])))
            state = None
        if active[edge]:
            state = OverspeedState(float(limits[edge]), _moment(times[edge]), float(speeds[edge]), announced=False)
        cursor = edge
    if state is not None:
        state = _advance(state, cursor, len(times), times, speeds, min_duration_seconds, events)
    return OverspeedResult(events, state)


def _shifted(values: npt.NDArray[Any], first: Any) -> npt.NDArray[Any]:
    """Each value moved one place on, with `first` before them."""
    shifted = np.empty_like(values)
    shifted[:1], shifted[1:] = first, values[:-1]
    return shifted


def _active(starts_here: BoolArray, ends_here: BoolArray, was_active: bool) -> BoolArray:
    """Hysteresis: each fix keeps the verdict of the last fix that had one."""
    decided = starts_here | ends_here
    last = np.maximum.accumulate(np.where(decided, np.arange(len(decided)), -1))
    return np.where(last >= 0, starts_here[np.maximum(last, 0)], was_active)


def _advance(
    state: OverspeedState,
    begin: int,
    end: int,
    times: FloatArray,
    speeds: FloatArray,
    min_duration_seconds: float,
    events: list[OverspeedStart | OverspeedEnd],
) -> OverspeedState:
    """The episode after its fixes `begin:end`: peak raised, and its start told once it lasted long enough."""
    peak_kph = float(np.fmax.reduce(speeds[begin:end], initial=state.peak_kph))
    announced = state.announced
    due = begin + int(np.searchsorted(times[begin:end], state.started_at.timestamp() + min_duration_seconds))
    if not announced and due < end:
        speed_kph = peak_kph if np.isnan(speeds[due]) else float(speeds[due])
        events.append(OverspeedStart(due, state.limit_kph, speed_kph, state.started_at))
        announced = True
    return OverspeedState(state.limit_kph, state.started_at, peak_kph, announced)


def _end(state: OverspeedState, index: int, ended_seconds: float) -> OverspeedEnd:
    ended_at = max(state.started_at, _moment(ended_seconds))
    duration_seconds = (ended_at - state.started_at).total_seconds()
    return OverspeedEnd(index, state.limit_kph, state.peak_kph, state.started_at, ended_at, duration_seconds)


def _moment(time_seconds: float) -> datetime:
    return datetime.fromtimestamp(float(time_seconds), tz=UTC)
