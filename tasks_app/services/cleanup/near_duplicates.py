"""Which positions repeat the one before. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tasks_app.geo.distance import geodesic_meters


@dataclass(frozen=True, slots=True)
class Neighbours:
    """A position and the one before it of the same device; `must_stay` protects the later one."""

    device_id: int
    previous_time: datetime
    previous_latitude: float
    previous_longitude: float
    fix_time: datetime
    latitude: float
    longitude: float
    must_stay: bool = False


def pick_near_duplicates(
    pairs: Iterable[Neighbours], *, tolerance_meters: float, within: timedelta, keeps_last: bool = False
) -> list[tuple[int, datetime]]:
    """Return (device_id, fix_time) of positions less than `within` after, and within the tolerance of, one that stays.

    `pairs` come sorted by device and time. Of a run of close fixes the first stays, and then the first that is far
    enough from that in time or place: a device standing still is thinned, never emptied. With `keeps_last` the last of a
    run stays, too, so that a stop keeps its end.
    """
    duplicates: list[tuple[int, datetime]] = []
    last: Neighbours | None = None
    kept: tuple[datetime, float, float] | None = None
    for pair in pairs:
        continues = last is not None and (last.device_id, last.fix_time) == (pair.device_id, pair.previous_time)
        if keeps_last and not (continues and kept and _meters(kept, pair) <= tolerance_meters):
            _let_stay(last, duplicates)
        if not continues or kept is None:
            kept = (pair.previous_time, pair.previous_latitude, pair.previous_longitude)
        is_close = pair.fix_time - kept[0] < within and _meters(kept, pair) <= tolerance_meters
        if is_close and not pair.must_stay:
            duplicates.append((pair.device_id, pair.fix_time))
        else:
            kept = (pair.fix_time, pair.latitude, pair.longitude)
        last = pair
    if keeps_last:
        _let_stay(last, duplicates)
    return duplicates


def _let_stay(pair: Neighbours | None, duplicates: list[tuple[int, datetime]]) -> None:
    if pair and duplicates and duplicates[-1] == (pair.device_id, pair.fix_time):
        duplicates.pop()


def _meters(kept: tuple[datetime, float, float], pair: Neighbours) -> float:
    return float(geodesic_meters(kept[1], kept[2], pair.latitude, pair.longitude))
