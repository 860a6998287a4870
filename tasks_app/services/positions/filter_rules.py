"""Which fixes to keep out of a track. Pure: rules and fixes in, reasons out.

Two kinds of rules: `own_reasons` looks at each fix by itself, a whole batch at once; a `TrackFilter` follows one device in time
order and compares each fix with the last one that was kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import geodesic_meters
from tasks_app.geo.motion_rules import MotionRules
from tasks_app.geo.speed import MPS_TO_KPH
from tasks_app.models import FilterReason
from tasks_app.services.positions.columns import FixColumns

# Nearer than this is the scatter of a receiver, however short the time.
MIN_JUMP_METERS = 100.0
# A fix with a change of one of these is kept, wherever the device is.
WATCHED_ATTRIBUTES = ("ignition", "alarm", "event", "motion", "charge", "blocked", "door", "driverUniqueId")

KEEP = -1
REASONS = tuple(FilterReason)
Reasons = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class FilterRules:
    """The filters of one device; None is off."""

    drop_invalid: bool = False
    max_future_seconds: float = 86_400.0
    max_past_seconds: float | None = None
    max_accuracy_meters: float | None = None
    max_jump_kph: float | None = None
    jump_confirmations: int = 3
    jump_timeout_seconds: float = 600.0
    min_period_seconds: float | None = None
    static_meters: float | None = None
    static_silence_seconds: float = 600.0

    @property
    def compares(self) -> bool:
        """Whether a fix has to be compared with the one before."""
        return not (self.max_jump_kph is None and self.min_period_seconds is None and self.static_meters is None)


DEFAULT_FILTERS = FilterRules()


def resolve_rules(*layers: Mapping[str, Any] | None) -> FilterRules:
    """The rules of settings, the most specific layer first; None in all of them means the default."""
    found: dict[str, Any] = {}
    for name in (one.name for one in fields(FilterRules)):
        found |= next(({name: layer[name]} for layer in layers if layer and layer[name] is not None), {})
    return FilterRules(**found) if found else DEFAULT_FILTERS


def own_reasons(columns: FixColumns, rules: Sequence[FilterRules], *, is_history: bool = False) -> Reasons:
    """The number in REASONS why each fix is out by itself, KEEP where it is not; `rules` follow the device numbers.

    History (an imported file) may be as old as it is.
    """
    reasons = np.full(len(columns), KEEP, dtype=np.int8)
    ahead_seconds = (columns.times_us - columns.received_us) / 1e6
    if any(rule is not DEFAULT_FILTERS for rule in rules):
        _mark(reasons, FilterReason.ACCURACY, columns.accuracies > _limits(columns, rules, "max_accuracy_meters"))
        if not is_history:
            _mark(reasons, FilterReason.PAST, -ahead_seconds > _limits(columns, rules, "max_past_seconds"))
    _mark(reasons, FilterReason.FUTURE, ahead_seconds > _limits(columns, rules, "max_future_seconds"))
    if any(rule.drop_invalid for rule in rules):
        strict = np.array([rule.drop_invalid for rule in rules], dtype=np.bool_)[columns.device]
        said = np.array([one.get("valid") is False for one in columns.attributes], dtype=np.bool_)
        _mark(reasons, FilterReason.INVALID, strict & said)
    _mark(reasons, FilterReason.ZERO, (columns.latitudes == 0.0) & (columns.longitudes == 0.0))
    return reasons


@dataclass(frozen=True, slots=True)
class FilterPoint:
    """A fix as a TrackFilter sees it."""

    time_seconds: float
    latitude: float
    longitude: float
    speed_kph: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Jumps:
    """How many jumps in a row led to about the same place, and the last of them."""

    count: int
    time_seconds: float
    latitude: float
    longitude: float


def jumps_from(memory: Mapping[str, Any] | None) -> Jumps | None:
    """Restore jumps from the result of `memory_of`."""
    return Jumps(**memory) if memory else None


def memory_of(jumps: Jumps | None) -> dict[str, Any] | None:
    """Jumps as JSON values, for the next batch."""
    return None if jumps is None else asdict(jumps)


class TrackFilter:
    """One device's fixes in time order; `last` is the fix kept last, `jumps` those since it that were not believed.

    `motion` are the rules of the device's kind.
    """

    def __init__(
        self, rules: FilterRules, motion: MotionRules, last: FilterPoint | None = None, jumps: Jumps | None = None
    ) -> None:
        self.rules, self.motion, self.last, self.jumps = rules, motion, last, jumps

    def keep(self, fix: FilterPoint) -> None:
        """Add this fix to the track."""
        self.last, self.jumps = fix, None

    def decide(self, fix: FilterPoint) -> FilterReason | None:
        """Return the reason to drop `fix`; None keeps it."""
        reason = None if self.last is None else self._reason(fix, self.last)
        if reason is None:
            self.keep(fix)
        return reason

    def _reason(self, fix: FilterPoint, last: FilterPoint) -> FilterReason | None:
        rules, seconds = self.rules, fix.time_seconds - last.time_seconds
        changed = fix.attributes.get("alarm") is not None or _has_changed(fix.attributes, last.attributes)
        if rules.min_period_seconds is not None and seconds < rules.min_period_seconds and not changed:
            return FilterReason.PERIOD
        if rules.max_jump_kph is not None and self._is_jump(fix, last, rules.max_jump_kph):
            return FilterReason.JUMP
        self.jumps = None
        if rules.static_meters is None or changed or seconds >= rules.static_silence_seconds:
            return None
        stands = fix.speed_kph is None or fix.speed_kph <= self.motion.moving_above_kph
        return FilterReason.STATIC if stands and _meters(fix, last) < rules.static_meters else None

    def _is_jump(self, fix: FilterPoint, last: FilterPoint, max_kph: float) -> bool:
        """Whether `fix` is a jump. Jumps that agree with each other are believed, and so is any after a time."""
        if not _is_too_far(fix, last, max_kph):
            return False
        jumps = self.jumps
        if jumps is not None and fix.time_seconds <= jumps.time_seconds:
            return True  # It comes again: a fix does not confirm itself.
        agrees = jumps is not None and not _is_too_far(fix, jumps, max_kph)
        count = jumps.count + 1 if jumps is not None and agrees else 1
        waited = fix.time_seconds - last.time_seconds
        if count >= self.rules.jump_confirmations or waited >= self.rules.jump_timeout_seconds:
            return False
        self.jumps = Jumps(count, fix.time_seconds, fix.latitude, fix.longitude)
        return True


def follow(
    track: TrackFilter, known: FilterPoint | None, jumps: Jumps | None, fixes: Iterable[tuple[FilterPoint, bool]]
) -> tuple[list[int], TrackFilter | None]:
    """The reasons of one device's fixes, as numbers, and the filter after them, None where all are late.

    Each fix comes with whether it is stored already, which keeps it. `track` follows the late ones; those newer than
    `known`, the fix of the state, go on from there and from the `jumps` it remembers.
    """
    goes_on = known is None
    reasons = []
    for fix, is_stored in fixes:
        if known is not None and not goes_on and fix.time_seconds > known.time_seconds:
            goes_on = True
            if track.last is None or track.last.time_seconds < known.time_seconds:
                track = TrackFilter(track.rules, track.motion, known, jumps)
        if is_stored:
            track.keep(fix)
            reasons.append(KEEP)
        else:
            reason = track.decide(fix)
            reasons.append(KEEP if reason is None else REASONS.index(reason))
    return reasons, track if goes_on else None


def _has_changed(attributes: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether a watched attribute differs from the fix before; a missing one has not changed."""
    return any((now := attributes.get(name)) is not None and now != before.get(name) for name in WATCHED_ATTRIBUTES)


def _mark(reasons: Reasons, reason: FilterReason, out: npt.NDArray[np.bool_]) -> None:
    if out.any():
        reasons[out] = REASONS.index(reason)


def _limits(columns: FixColumns, rules: Sequence[FilterRules], name: str) -> npt.NDArray[np.float64]:
    values = [getattr(rule, name) for rule in rules]
    return np.array([math.inf if value is None else value for value in values], dtype=np.float64)[columns.device]


def _meters(fix: FilterPoint, other: FilterPoint | Jumps) -> float:
    return float(geodesic_meters(fix.latitude, fix.longitude, other.latitude, other.longitude))


def _is_too_far(fix: FilterPoint, other: FilterPoint | Jumps, max_kph: float) -> bool:
    meters = _meters(fix, other)
    seconds = fix.time_seconds - other.time_seconds
    return meters > MIN_JUMP_METERS and (seconds <= 0 or meters / seconds * MPS_TO_KPH > max_kph)
