"""The believable fixes of a track and what each step between them is: driving, standing, a gap or a jump.

What is said of a fix depends on its neighbourhood only: on `NEIGHBOURS` fixes to either side and on those within the
rules' `reach_seconds`, or `sent_reach_seconds` where the speeds sent there suffice. So a part of a track says the same of
a fix as the whole, but for its own ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks_app.geo.believable import believable_sent
from tasks_app.geo.distance import FloatArray, step_distances_meters
from tasks_app.geo.gain import QUICK_KPH, gains_ground, gets_away, sent_evidence, smoothed_meters
from tasks_app.geo.speed import (
    MPS_TO_KPH,
    BoolArray,
    MotionRules,
    derive_speeds_kph,
    floats,
    impossible,
    outliers,
)

NEIGHBOURS = 8


@dataclass(frozen=True, slots=True)
class Steps:
    """Believable fixes, shape (k,), and the steps between them, shape (k - 1,).

    `index` is each fix's place in the original arrays; `is_sent` marks speeds that the device sent. `driven_meters` and
    `driven_seconds` are what counts as driven of each step, both or neither: 0 for the scatter of a standing receiver,
    for jumps and for gaps. All the time of a `moving` step is driven; of one too slow for that, with a driving speed sent
    at an end, as much as its way takes at that speed. `by_gain` marks fixes of which what was gained tells whether they
    drive (`geo.gain`). `moved_gap` marks silences after which the vehicle was elsewhere.
    `rules` are those it was made with.
    """

    index: npt.NDArray[np.intp]
    times: FloatArray
    latitudes: FloatArray
    longitudes: FloatArray
    speeds_kph: FloatArray
    is_sent: BoolArray
    seconds: FloatArray
    meters: FloatArray
    driven_meters: FloatArray
    driven_seconds: FloatArray
    moving: BoolArray
    gap: BoolArray
    moved_gap: BoolArray
    jump: BoolArray
    by_gain: BoolArray
    rules: MotionRules

    def __len__(self) -> int:
        return len(self.times)

    def inner(self, *, is_first: bool, is_last: bool) -> Steps:
        """Steps that other fixes before (unless `is_first`) and after (unless `is_last`) these could not change."""
        if not len(self):
            return self
        first, end = 0, len(self)
        reach = np.array([self.rules.sent_reach_seconds, self.rules.reach_seconds])
        if not is_first:
            by_sent, by_gain = np.searchsorted(self.times, self.times[0] + reach)
            uncertain = np.flatnonzero(self.by_gain[:by_gain])
            first = int(max(np.searchsorted(self.index, NEIGHBOURS), by_sent, *(uncertain[-1:] + 1)))
        if not is_last:
            by_sent, by_gain = np.searchsorted(self.times, self.times[-1] - reach)
            uncertain = by_gain + np.flatnonzero(self.by_gain[by_gain:])
            by_index = np.searchsorted(self.index, self.index[-1] + 1 - NEIGHBOURS)
            end = int(min(by_index, by_sent, *uncertain[:1]))
        return self.part(first, max(first, end))

    def part(self, first: int, end: int) -> Steps:
        """The fixes `first:end` and the steps between them."""
        fixes, steps = slice(first, end), slice(first, max(first, end - 1))
        return Steps(
            self.index[fixes],
            self.times[fixes],
            self.latitudes[fixes],
            self.longitudes[fixes],
            self.speeds_kph[fixes],
            self.is_sent[fixes],
            self.seconds[steps],
            self.meters[steps],
            self.driven_meters[steps],
            self.driven_seconds[steps],
            self.moving[steps],
            self.gap[steps],
            self.moved_gap[steps],
            self.jump[steps],
            self.by_gain[fixes],
            self.rules,
        )


def read_steps(
    times_seconds: npt.ArrayLike,
    latitudes: npt.ArrayLike,
    longitudes: npt.ArrayLike,
    speeds_kph: npt.ArrayLike | None = None,
    *,
    rules: MotionRules,
) -> Steps:
    """The steps of a track: arrays of shape (n,), epoch seconds ascending, degrees, km/h with NaN where none was sent.

    A speed that is not believed (`geo.believable`) counts as not sent.
    """
    times, latitudes, longitudes = floats(times_seconds), floats(latitudes), floats(longitudes)
    sent = np.full(len(times), np.nan) if speeds_kph is None else floats(speeds_kph)
    index = np.flatnonzero(~outliers(times, latitudes, longitudes, rules=rules))
    is_sent = np.zeros(len(times), dtype=np.bool_)
    is_sent[index] = believable_sent(times[index], latitudes[index], longitudes[index], sent[index], rules)
    speeds = derive_speeds_kph(times, latitudes, longitudes, np.where(is_sent, sent, np.nan), rules=rules)
    return _steps(index, times[index], latitudes[index], longitudes[index], speeds[index], is_sent[index], rules)


def _steps(
    index: npt.NDArray[np.intp],
    times: FloatArray,
    latitudes: FloatArray,
    longitudes: FloatArray,
    speeds_kph: FloatArray,
    is_sent: BoolArray,
    rules: MotionRules,
) -> Steps:
    seconds, meters = np.diff(times), step_distances_meters(latitudes, longitudes)
    gap, jump = seconds > rules.max_gap_seconds, impossible(seconds, meters, rules)
    fast = (speeds_kph > rules.moving_above_kph) & gets_away(times, latitudes, longitudes, rules)
    sure, far_meters = sent_evidence(times, speeds_kph, is_sent, fast, rules)
    by_gain = ~is_sent | (fast & ~sure)
    if by_gain.any():
        places = np.flatnonzero(by_gain)
        fast = sure | gains_ground(times, latitudes, longitudes, meters, places, far_meters, rules)
    driven_by_speed = fast & is_sent
    both = driven_by_speed[:-1] & driven_by_speed[1:]
    is_slow = fast & ~(is_sent & (speeds_kph > QUICK_KPH))
    meters = smoothed_meters(times, latitudes, longitudes, meters, np.flatnonzero(is_slow[:-1] | is_slow[1:]))
    # A long step from standing to driving is standing time, unless the way itself shows the driving.
    gone = meters * MPS_TO_KPH > rules.moving_above_kph * seconds
    moving = ~gap & ~jump & (both | ((fast[:-1] | fast[1:]) & gone))
    driven_seconds = np.where(moving, seconds, _seconds_at_speed(meters, np.where(driven_by_speed, speeds_kph, 0.0)))
    driven_seconds = np.where(gap | jump, 0.0, driven_seconds)
    return Steps(
        index=index,
        times=times,
        latitudes=latitudes,
        longitudes=longitudes,
        speeds_kph=speeds_kph,
        is_sent=is_sent,
        seconds=seconds,
        meters=meters,
        driven_meters=np.where(driven_seconds > 0.0, meters, 0.0),
        driven_seconds=driven_seconds,
        moving=moving,
        gap=gap,
        moved_gap=gap & (meters >= max(rules.min_trip_meters, rules.gain_meters)),
        jump=jump,
        by_gain=by_gain,
        rules=rules,
    )


def _seconds_at_speed(meters: FloatArray, speeds_kph: FloatArray) -> FloatArray:
    """How long each step takes at the speed sent at its faster end, 0 where neither end was driving."""
    fastest = np.maximum(speeds_kph[:-1], speeds_kph[1:])
    return np.where(fastest > 0.0, meters * MPS_TO_KPH / np.where(fastest > 0.0, fastest, 1.0), 0.0)
