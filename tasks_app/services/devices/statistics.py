"""Driving figures of one device over the last day, week or month."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from tasks_app.engine import PermanentError
from tasks_app.geo.days import day_parts
from tasks_app.geo.distance import FloatArray
from tasks_app.geo.figures import moved_gap_seconds, total
from tasks_app.queries.devices import committed_version
from tasks_app.queries.drives import read_drive
from tasks_app.queries.statistics import STATISTICS_SECONDS, statistics_key
from tasks_app.services.devices.status import find_device
from tasks_app.utils.cache import set_newest
from tasks_app.utils.iso_times import iso_utc

PERIODS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}


def calculate_statistics(*, device_id: int, period: str, now: datetime) -> dict[str, Any]:
    """Distance, times and speeds of the `period` (24h, 7d, 30d) before `now`, as a report of it has them; also kept in the
    cache.

    The cache has them (`queries.statistics`) until something comes of the device or its first fix leaves the period. Idle
    is standing with the ignition on and part of stopped. Raises PermanentError for an unknown device or period.
    """
    if period not in PERIODS:
        raise PermanentError(f"The period must be one of {', '.join(PERIODS)}, not {period[:50]!r}.")
    device = find_device(device_id)
    # Asked for before the positions are read: what arrives meanwhile makes the figures old at once.
    version = committed_version(device.pk)
    start = now - PERIODS[period]
    drive = read_drive(device, start, now)
    # By day, as reports add them up: a day without a fix has no standing.
    days = day_parts(start, now, device.fleet.zone)
    figures = total(drive.figures([start, *(end for _day, _start, end in days)]))
    result = {
        "device_id": device.pk,
        "period": period,
        "start": iso_utc(start),
        "end": iso_utc(now),
        "positions": figures.fix_count,
        "distance_meters": round(figures.distance_meters, 1),
        "moving_seconds": round(figures.moving_seconds, 1),
        "idle_seconds": round(figures.idle_seconds, 1),
        "stopped_seconds": round(figures.stopped_seconds, 1),
        "gap_seconds": round(moved_gap_seconds(drive.steps, start.timestamp(), now.timestamp()), 1),
        "max_speed_kph": round(figures.max_speed_kph, 1),
        "average_speed_kph": round(figures.average_speed_kph, 1),
    }
    lasting_seconds = _lasting_seconds(drive.fixes.times_seconds, start)
    set_newest({statistics_key(device.pk, period): (version, result)}, seconds=lasting_seconds)
    return result


def _lasting_seconds(times_seconds: FloatArray, start: datetime) -> int:
    """For how long the period, which moves on with the clock, contains the same fixes; at least the one second of a cache."""
    first = np.searchsorted(times_seconds, start.timestamp())
    if first == len(times_seconds):
        return STATISTICS_SECONDS
    return int(np.clip(times_seconds[first] - start.timestamp(), 1, STATISTICS_SECONDS))
