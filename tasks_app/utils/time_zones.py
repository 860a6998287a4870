"""Names of time zones: those that mean the same on every machine."""

from __future__ import annotations

import zoneinfo
from functools import cache

# "localtime" is whatever this machine is set to, "Factory" what a machine has that nobody set.
_OF_A_MACHINE = {"localtime", "Factory"}


@cache
def zone_names() -> tuple[str, ...]:
    """Return the names of the tz database that a fleet, a person or a schedule may have."""
    return tuple(sorted(zoneinfo.available_timezones() - _OF_A_MACHINE))


def is_zone_name(name: str) -> bool:
    """Return whether this is one of them."""
    return name in zone_names()
