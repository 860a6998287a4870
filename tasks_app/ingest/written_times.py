"""Times as spreadsheets write them: 28/11/2026 10:00, 28.11.2026 10:00:00, and the day's number of a cell without format."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta

from tasks_app.ingest.times import read_time
from tasks_app.ingest.validate import InvalidFix

_WRITTEN = re.compile(
    r"(?P<first>\d{1,4})(?P<mark>[./-])\s?(?P<second>\d{1,2})(?P=mark)\s?(?P<third>\d{4}|\d{1,2})"
    r"(?:,?\s+|[Tt])(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<seconds>\d{2}(?:[.,]\d+)?))?"
    r"\s*(?:(?P<half>[AaPp])\.?\s?[Mm]\.?)?\s*(?P<zone>[Zz]|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
# 5-Oct-26, 5. Oktober 2026, 5 de out. de 2026, and Oct 5, 2026.
_DAY_AND_NAME = re.compile(r"(\d{1,2})\.?[\s/-]\s*(?:de\s+)?([^\W\d_]{3,10})\.?[\s/-]\s*(?:de\s+)?(\d{4}|\d{2})\b")
_NAME_AND_DAY = re.compile(r"([^\W\d_]{3,10})\.?\s+(\d{1,2}),?\s+(\d{4})\b")
# In English, Portuguese, Spanish and German, by the first three letters.
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            *(
                ("jan", "ene"),
                ("feb", "fev"),
                ("mar", "mae", "mrz"),
                ("apr", "abr"),
                ("may", "mai"),
                ("jun",),
                ("jul",),
            ),
            *(("aug", "ago"), ("sep", "set"), ("oct", "out", "okt"), ("nov",), ("dec", "dez", "dic")),
        ),
        start=1,
    )
    for name in names
}
# Cells of a day and of a clock, as programs write them that know only both in one.
CLOCK = re.compile(r"\d{1,2}:\d{2}.*")
MIDNIGHT = re.compile(r"[\sT]+0?0:00(?::00(?:[.,]0+)?)?$")
FIRST_DAY = re.compile(r"(?:1899-12-3[01]|1900-01-0[01])[\sT]+")
# Days since 1899-12-30. What is between these is no time in seconds or milliseconds that anybody means.
_FIRST_SERIAL, _LAST_SERIAL = 32_874, 80_000  # 1990-01-01, 2119-01-11
_SERIAL_START = datetime(1899, 12, 30)


class AmbiguousDate(ValueError):
    """A date of which either number may be the day."""


def iso_or_text(text: str, *, day_first: bool | None) -> str:
    """The time in ISO 8601, the text itself where it is none. Raises InvalidFix where `day_first` would have to say."""
    try:
        return read_written_time(text, day_first=day_first).isoformat()
    except AmbiguousDate as error:
        detail = f"{error} may have the day or the month first; write it as 2026-01-31T10:00:00."
        raise InvalidFix("ambiguous_timestamp", detail) from error
    except ValueError:
        return text


def read_written_time(text: str, *, day_first: bool | None) -> datetime:
    """The time, naive where it states no zone. Raises ValueError, and AmbiguousDate where `day_first` would have to say.

    Points stand between day, month and year in that order; four digits first are the year; a number above 12 is the day.
    """
    found = _WRITTEN.fullmatch(_in_numbers(text.strip()))
    if found is None:
        raise ValueError("not a date and time")
    year, month, day = _date(found, day_first)
    hour = int(found["hour"])
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("no hour of a half day")
        hour = hour % 12 + (12 if found["half"] in "Pp" else 0)
    zone = found["zone"] or ""
    return read_time(f"{year:04}-{month:02}-{day:02}T{hour:02}:{found['minute']}:{found['seconds'] or '00'}{zone}")


def is_day_first(text: str) -> bool | None:
    """Whether this time must have its day first (True) or its month (False); None where either may be, or for another text."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None or len(found["first"]) > 2:
        return None
    if found["mark"] == ".":
        return True
    first, second = int(found["first"]), int(found["second"])
    return first > 12 if (first > 12) != (second > 12) else None


def from_serial(value: float) -> datetime | None:
    """The naive time a spreadsheet means by this number of days, to the millisecond; None for any other number."""
    if not _FIRST_SERIAL <= value < _LAST_SERIAL:
        return None
    return _SERIAL_START + _days(value)


def clock_of_fraction(value: float) -> str:
    """The clock a spreadsheet means by this part of a day, to the millisecond."""
    return f"{_SERIAL_START + _days(value):%H:%M:%S.%f}"


def _days(value: float) -> timedelta:
    return timedelta(milliseconds=round(value * 86_400_000))


def _in_numbers(text: str) -> str:
    """The date with the number of its month where it has the name."""
    if found := _DAY_AND_NAME.match(text):
        day, name, year = found.groups()
    elif found := _NAME_AND_DAY.match(text):
        name, day, year = found.groups()
    else:
        return text
    letters = unicodedata.normalize("NFD", name.lower())
    month = _MONTHS.get("".join(letter for letter in letters if not unicodedata.combining(letter))[:3])
    return f"{day}.{month}.{year}{text[found.end() :]}" if month else text


def _date(found: re.Match[str], day_first: bool | None) -> tuple[int, int, int]:
    first, second, third = int(found["first"]), int(found["second"]), int(found["third"])
    if len(found["first"]) > 2:
        return first, second, third
    if len(found["third"]) == 1:
        raise ValueError("no year")
    year = third if len(found["third"]) == 4 else 2000 + third
    is_first = is_day_first(found[0])
    if is_first is None and first != second:
        if day_first is None:
            raise AmbiguousDate(found[0])
        is_first = day_first
    return (year, second, first) if is_first or first == second else (year, first, second)
