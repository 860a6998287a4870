"""The quick way to read a batch: its positions as columns, where all of them are ordinary good ones.

What a caller gets is what `json_batch` makes of the same body; None sends it there, where each position is looked at by itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import isnan

import msgspec

from tasks_app.ingest.attributes import is_clean
from tasks_app.ingest.gps_weeks import MAX_AHEAD, earliest_of_this_period
from tasks_app.ingest.json_batch import (
    HIGHEST_USUAL_METERS,
    LOWEST_USUAL_METERS,
    USUAL_ACCURACY_METERS,
    USUAL_SPEED_KPH,
    SentPosition,
)
from tasks_app.ingest.validate import MAX_TIMESTAMP_LENGTH, InvalidFix, check_device_id


class _Body(msgspec.Struct, gc=False):
    positions: list[SentPosition]


_decoder = msgspec.json.Decoder(list[SentPosition] | _Body)


def ordinary_batch(body: bytes, *, max_fixes: int, now: datetime) -> list[SentPosition] | None:
    """Return the positions of a request's body, None unless each is an ordinary good one that needs no change.

    They are JSON as it is stored: finite numbers, no NUL, no lone surrogate, no deep nesting.
    """
    try:
        decoded = _decoder.decode(body)
    except (ValueError, OverflowError, RecursionError):
        return None
    positions = decoded.positions if isinstance(decoded, _Body) else decoded
    if not 0 < len(positions) <= max_fixes:
        return None
    is_ordinary = (
        _are_known_ids({one.device_id for one in positions})
        and _are_usual_times([one.timestamp for one in positions], now)
        and _are_usual_numbers(positions)
        and all(one.attributes is None or is_clean(one.attributes) for one in positions)
    )
    return positions if is_ordinary else None


def _are_known_ids(device_ids: set[str]) -> bool:
    try:
        return all(map(check_device_id, device_ids))
    except InvalidFix:
        return False


def _are_usual_times(timestamps: list[str | int | float], now: datetime) -> bool:
    try:
        if max(map(len, timestamps)) > MAX_TIMESTAMP_LENGTH:  # type: ignore[arg-type]
            return False
        times = list(map(datetime.fromisoformat, timestamps))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # a number of seconds, or written another way
        return False
    if any(time.tzinfo is not UTC for time in times):
        return False
    return earliest_of_this_period(now) < min(times) and max(times) <= now + MAX_AHEAD


def _are_usual_numbers(positions: list[SentPosition]) -> bool:
    """Return whether no quantity is NaN, a place at 0, 0, or a value that may stand for an unknown one."""
    latitudes = [one.latitude for one in positions]
    speeds = [one.speed or 0.0 for one in positions]
    accuracies = [one.accuracy or 0.0 for one in positions]
    altitudes = [one.altitude or 0.0 for one in positions]
    sums = (
        sum(latitudes),
        sum([one.longitude for one in positions]),
        sum([one.course or 0.0 for one in positions]),
        sum(speeds),
        sum(accuracies),
        sum(altitudes),
    )
    return (
        # NaN spreads over a sum. The decoder lets it through its limits.
        not any(map(isnan, sums))
        and 0.0 not in latitudes
        and max(speeds) <= USUAL_SPEED_KPH
        and max(accuracies) <= USUAL_ACCURACY_METERS
        and min(altitudes) > LOWEST_USUAL_METERS
        and max(altitudes) < HIGHEST_USUAL_METERS
        and not any(one.unknown for one in positions)
    )
