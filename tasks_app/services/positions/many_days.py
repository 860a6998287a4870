"""Fixes of very many days: a transaction makes and locks the partitions of a bounded number of days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tasks_app.ingest.fix import Fix

# Each new partition holds some ten locks until the commit, and PostgreSQL has room for a few thousand. A thousand new
# partitions took longer than the time limit of a job, which then began anew, for ever.
MAX_DAYS = 100


def are_many_days(fixes: Iterable[Fix]) -> bool:
    """Return whether these are of more days (UTC) than one transaction should have."""
    return len({fix.fix_time.toordinal() for fix in fixes}) > MAX_DAYS


def portions(fixes: Sequence[Fix]) -> list[list[int]]:
    """Return the places of the fixes in portions of at most MAX_DAYS days, earlier days first; one of no fixes."""
    days = [fix.fix_time.toordinal() for fix in fixes]
    number_of = {day: number // MAX_DAYS for number, day in enumerate(sorted(set(days)))}
    found: list[list[int]] = [[] for _ in range(max(number_of.values(), default=0) + 1)]
    for place, day in enumerate(days):
        found[number_of[day]].append(place)
    return found
