"""Times as text: ISO 8601 and RFC 3339 as devices and programs really write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

# Of a leap second (23:59:60), and of a receiver that rounds 59.9996 up.
_SIXTIETH_SECOND = re.compile(r"(:[0-5]\d):60(?=\D|$)|(?<=\d[Tt ])(\d{4})60(?=\D|$)")
_UTC_NAMES = re.compile(r"\s*(?:z|utc|gmt)$", re.IGNORECASE)


def read_time(text: str) -> datetime:
    """The time of an ISO 8601 text, in UTC where it states a zone, naive where it states none.

    Taken as well: space around it, a space, `t` or any other letter for the T, `z`, UTC and GMT for the Z, offsets with and
    without colon, fractions of any length after a point or a comma. The second 60 is the first one of the next minute, as
    in POSIX time. Raises ValueError.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = _read_unusual(text)
    if parsed.tzinfo is None or parsed.tzinfo is UTC:
        return parsed
    try:
        return parsed.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error


def _read_unusual(text: str) -> datetime:
    plain = _UTC_NAMES.sub("Z", text.strip())
    on_the_dot = _SIXTIETH_SECOND.sub(lambda found: f"{found[1]}:59" if found[1] else f"{found[2]}59", plain)
    parsed = datetime.fromisoformat(on_the_dot)
    try:
        return parsed if on_the_dot == plain else parsed + timedelta(seconds=1)
    except OverflowError as error:
        raise ValueError("out of range") from error
