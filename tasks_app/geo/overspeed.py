"""Overspeed as episodes: one start and one end per stretch of driving too fast, with its peak and duration."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from tasks_app.geo.motion_rules import MotionRules

BoolArray = npt.NDArray[np.bool_]

DEFAULT_TOLERANCE_KPH = 5.0


@dataclass(frozen=True, slots=True)
class OverspeedState:
    """An episode still going on after a batch; `announced` once it lasted long enough to have been a start event.

    It began at fix `began_index`, -1 where that was in an earlier batch.
    """

    limit_kph: float
    started_at: datetime
    peak_kph: float
    announced: bool = True
    began_index: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True)
class OverspeedStart:
    """Announced at fix `index`; the episode began at `started_at`, earlier than that fix if it had to last a while.

    That was at fix `began_index`, -1 where it is of an earlier batch.
    """

    index: int
    limit_kph: float
    speed_kph: float
    started_at: datetime
    began_index: int = field(default=-1, compare=False)


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
    previous_seconds: float | None = None,
) -> OverspeedResult:
    """Events of one device, its fixes in time order; arrays of shape (n,), times in epoch seconds, NaN limit = none.

    An episode starts above limit + tolerance and ends at or below the limit, so a speed between the two neither starts
    nor ends one. A fix without a speed changes nothing. An episode shorter than `min_duration_seconds` is never reported.
    Over a silence longer than that of `MotionRules` nobody knows the speed: an episode ends at the last fix before it, and
    speeding after it is another one. `previous_seconds` is the time of the device's last fix before these.
    """
    times = np.asarray(times_seconds, dtype=np.float64)
    limits = np.broadcast_to(np.asarray(limits_kph, dtype=np.float64), times.shape).tolist()
    speeds = np.asarray(speeds_kph, dtype=np.float64).tolist()
    events: list[OverspeedStart | OverspeedEnd] = []
    previous = math.nan if previous_seconds is None else previous_seconds
    # A loop: of one device a batch has a handful of fixes, for which each call of numpy would take longer.
    for index, (time_seconds, speed, limit) in enumerate(zip(times.tolist(), speeds, limits, strict=True)):
        after_silence = time_seconds - previous > MotionRules.max_gap_seconds
        starts = speed > limit + tolerance_kph
        ends = not starts and (speed <= limit or math.isnan(limit) or after_silence)
        if state is not None and (ends or after_silence):
            if state.announced:
                events.append(_end(state, index, previous if after_silence else time_seconds))
            state = None
        if state is None and starts:
            state = OverspeedState(limit, _datetime(time_seconds), speed, announced=False, began_index=index)
        if state is not None:
            state = _advance(state, index, time_seconds, speed, min_duration_seconds, events)
        previous = time_seconds
    return OverspeedResult(events, state)


def _advance(
    state: OverspeedState,
    index: int,
    time_seconds: float,
    speed_kph: float,
    min_duration_seconds: float,
    events: list[OverspeedStart | OverspeedEnd],
) -> OverspeedState:
    """The episode after one more fix: peak raised, and its start reported once it lasted long enough."""
    peak_kph = max(state.peak_kph, speed_kph)  # that of a fix without a speed is NaN, and not greater
    announced = state.announced
    if not announced and time_seconds >= state.started_at.timestamp() + min_duration_seconds:
        shown_kph = peak_kph if math.isnan(speed_kph) else speed_kph
        events.append(OverspeedStart(index, state.limit_kph, shown_kph, state.started_at, state.began_index))
        announced = True
    return replace(state, peak_kph=peak_kph, announced=announced)


def _end(state: OverspeedState, index: int, ended_seconds: float) -> OverspeedEnd:
    ended_at = max(state.started_at, _datetime(ended_seconds))
    duration_seconds = (ended_at - state.started_at).total_seconds()
    return OverspeedEnd(index, state.limit_kph, state.peak_kph, state.started_at, ended_at, duration_seconds)


def _datetime(time_seconds: float) -> datetime:
    return datetime.fromtimestamp(time_seconds, tz=UTC)
