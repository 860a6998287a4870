"""How the numbers and times of a table are written, judged by its first rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import tzinfo

from tasks_app.ingest.csv_table import Table
from tasks_app.ingest.numbers import number_or_text
from tasks_app.ingest.validate import MAX_TIMESTAMP_LENGTH, with_zone
from tasks_app.ingest.written_times import (
    CLOCK,
    FIRST_DAY,
    MIDNIGHT,
    clock_of_fraction,
    from_serial,
    is_day_first,
    iso_or_text,
)

_COMMA_PLACE = re.compile(r"[-+\u2212]?\d{1,3},\d+")


@dataclass(frozen=True, slots=True)
class Dialect:
    """`day_first` says whether 05/10/2026 is in October; None where nothing in the file tells.

    Where commas separate no cells (`is_comma_free`), a number of any column may have one that is decimal.
    """

    decimal_comma: bool = False
    is_comma_free: bool = False
    day_first: bool | None = None

    def number(self, text: str) -> float | str | None:
        """A number where the text is one, None for an empty one, else the text for the rules to judge."""
        value = number_or_text(text, decimal_comma=self.decimal_comma)
        if isinstance(value, str) and self.is_comma_free and not self.decimal_comma:
            return number_or_text(text, decimal_comma=True)
        return value

    def time(self, text: str, zone: tzinfo | None) -> object:
        """The time in UTC, that of `zone` where it states none; what cannot be read stays for the rules to judge.

        Raises InvalidFix for a date of which either number may be the day.
        """
        if text[4:5] == "-" and text[13:14] == ":" and text[-1] not in "mM.":  # as AM and p.m. end
            return with_zone(text, zone)
        value = self.number(text)
        if isinstance(value, float):
            serial = from_serial(value)
            return value if serial is None else with_zone(serial.isoformat(), zone)
        if value is None or len(text) > MAX_TIMESTAMP_LENGTH:
            return value
        return with_zone(iso_or_text(text, day_first=self.day_first), zone)

    def day_and_clock(self, day: str, clock: str) -> str:
        """The text of a day and that of a clock as one text, however a spreadsheet wrote them; "" where one is missing.

        A day may come with a midnight, a clock with the first day of all, and both as numbers of days. A cell that says
        both counts alone.
        """
        day_number, clock_number = self.number(day), self.number(clock)
        if isinstance(clock_number, float) and 0 <= clock_number < 1:
            clock = clock_of_fraction(clock_number)
        clock = FIRST_DAY.sub("", clock)
        if clock and not CLOCK.fullmatch(clock):
            return clock
        if isinstance(day_number, float) and (serial := from_serial(day_number)):
            day = serial.isoformat(sep=" ")
        date = MIDNIGHT.sub("", day)
        if clock:
            return f"{date} {clock}"
        return date if ":" in date else ""


def dialect_of(table: Table, *, places: tuple[int | None, ...], time: int | None) -> Dialect:
    """The dialect of a table whose latitude and longitude are in the columns `places` and whose time is in `time`.

    A place on Earth has no thousands, so a comma in one is a decimal comma. A semicolon between the cells or a decimal
    comma is of a country that writes the day first; else a day above 12 in the first rows tells.
    """
    decimal_comma = any(_COMMA_PLACE.fullmatch(text) for place in places for text in table.column(place))
    known = {order for text in table.column(time) if (order := is_day_first(text)) is not None}
    day_first: bool | None = None
    if len(known) == 1:
        day_first = known.pop()
    elif not known and (decimal_comma or table.delimiter == ";"):
        day_first = True
    return Dialect(decimal_comma, table.delimiter != ",", day_first)
