"""When people work: heavy upkeep of the database waits for other hours. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.utils.translation import gettext as _

_FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """From `start` to `end`, Monday to Friday; an `end` before `start` is on the next day."""

    start: time
    end: time

    def contain(self, local: datetime) -> bool:
        """Whether this local time is in them; the hours after midnight belong to the day before."""
        now = local.time()
        if self.start < self.end:
            return local.weekday() < _SATURDAY and self.start <= now < self.end
        if now >= self.start:
            return local.weekday() < _SATURDAY
        return now < self.end and (local.weekday() - 1) % 7 < _SATURDAY

    def seconds_until(self, local: datetime) -> float:
        """How long it is until they next begin, also over a change of clocks; `local` is aware."""
        days = (local.date() + timedelta(days=ahead) for ahead in range(8))
        starts = (datetime.combine(day, self.start, local.tzinfo) for day in days if day.weekday() < _SATURDAY)
        # Across a change of clocks only times in UTC can be subtracted.
        now = local.astimezone(UTC)
        return min(left for start in starts if (left := (start.astimezone(UTC) - now).total_seconds()) > 0)


def parse_business_hours(text: str) -> BusinessHours | None:
    """Read "07:00-19:00"; None for an empty text. Raises ValueError with the reason."""
    if not text:
        return None
    found = _FORM.fullmatch(text)
    if not found or found[1] + found[2] == found[3] + found[4]:
        raise ValueError(_("Write business hours as 07:00-19:00."))
    hour, minute, end_hour, end_minute = map(int, found.groups())
    return BusinessHours(time(hour, minute), time(end_hour, end_minute))
