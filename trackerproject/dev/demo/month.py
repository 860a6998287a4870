"""A sample fleet's past month: which days are missing, and which of their fixes are sent so that it takes a bounded time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta

from tasks_app.ingest.fix import Fix

# One day less than retention keeps by default.
MONTH_DAYS = 29
# The least one fix in so many: trips stay trips.
MOST_THINNED = 12


def missing_days(last: date | None, today: date) -> list[date]:
    """Return the days of the past month after the last one that is there, in order; today is not among them."""
    first = today - timedelta(days=MONTH_DAYS)
    if last is not None:
        first = max(first, last + timedelta(days=1))
    return [first + timedelta(days=number) for number in range((today - first).days)]


def thinned(fixes: Iterable[Fix], one_in: int) -> list[Fix]:
    """Return one fix in so many of each device, and all at which the ignition is switched."""
    numbers: Counter[str] = Counter()
    ignition: dict[str, object] = {}
    kept = []
    for fix in fixes:
        is_on = (fix.attributes or {}).get("ignition")
        is_switched = ignition.get(fix.device_id, is_on) != is_on
        ignition[fix.device_id] = is_on
        if is_switched or numbers[fix.device_id] % one_in == 0:
            kept.append(fix)
        numbers[fix.device_id] += 1
    return kept


def thinning(*, fixes_per_second: float, fixes_per_day: float, days_left: int, seconds_left: float) -> int:
    """Return how few fixes to send (one in so many), for the days that are left to take the seconds that are left."""
    if days_left == 0 or seconds_left <= 0 or fixes_per_second <= 0:
        return MOST_THINNED
    wanted = fixes_per_day * days_left / (fixes_per_second * seconds_left)
    return min(MOST_THINNED, max(1, int(wanted) + (wanted > int(wanted))))
