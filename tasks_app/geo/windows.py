"""Weekly windows of local time, in which a geofence's enters and exits are recorded.

A list of `{"days": [0, 1, 2, 3, 4], "from": "22:00", "to": "06:00"}`: days are 0 for Monday to 6 for Sunday, times are
what the clock on the wall shows. `from` belongs to the window, `to` does not; `to` at or before `from` is on the next
day, and `days` are those on which a window begins. No windows at all means always.

What the wall shows decides: where clocks go back, the repeated hour is in a window both times; where they go forward, a
window within the missing hour does not happen.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from typing import Any

from tasks_app.geo.refusals import Refusal

MAX_WINDOWS = 50
MINUTES_PER_DAY = 24 * 60
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)

Windows = list[dict[str, Any]]


class InvalidWindows(Refusal):
    """The windows cannot be used; the message says what is wrong with them."""


def validate_windows(windows: Any) -> None:
    """Raise InvalidWindows unless `windows` is a list as described above."""
    if not isinstance(windows, list) or len(windows) > MAX_WINDOWS:
        raise InvalidWindows("Windows must be a list of at most %(most)d objects.", most=MAX_WINDOWS)
    for window in windows:
        if not isinstance(window, dict) or set(window) != {"days", "from", "to"}:
            raise InvalidWindows('A window must be an object with "days", "from" and "to" and nothing else.')
        _check_days(window["days"])
        _minute_of_day(window["from"])
        if window["to"] != "24:00":
            _minute_of_day(window["to"])


def is_open(windows: Windows, at: datetime, zone: tzinfo) -> bool:
    """Is the aware `at`, on the clocks of `zone`, in one of these (valid) windows? True when there are none."""
    if not windows:
        return True
    local = at.astimezone(zone)
    minute = local.hour * 60 + local.minute
    today, yesterday = local.weekday(), (local.weekday() - 1) % 7
    return any(
        _covers(window, today, minute) or _covers(window, yesterday, minute + MINUTES_PER_DAY) for window in windows
    )


def _covers(window: dict[str, Any], day: int, minute: int) -> bool:
    """Does the window that begins on `day` cover the minute, counted from that day's midnight?"""
    if day not in window["days"]:
        return False
    begin = _minute_of_day(window["from"])
    end = MINUTES_PER_DAY if window["to"] == "24:00" else _minute_of_day(window["to"])
    return begin <= minute < (end if end > begin else end + MINUTES_PER_DAY)


def _check_days(days: Any) -> None:
    if not isinstance(days, list) or not days or len(set(map(repr, days))) != len(days):
        raise InvalidWindows("A window's days must be a list of different numbers from 0 (Monday) to 6 (Sunday).")
    for day in days:
        if not isinstance(day, int) or isinstance(day, bool) or not 0 <= day <= 6:
            raise InvalidWindows("A window's days must be numbers from 0 (Monday) to 6 (Sunday).")


def _minute_of_day(clock: Any) -> int:
    found = _CLOCK.fullmatch(clock) if isinstance(clock, str) else None
    if found is None:
        raise InvalidWindows("A window's times must look like 22:00.")
    return int(found[1]) * 60 + int(found[2])
