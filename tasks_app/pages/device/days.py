"""Days as the reader's zone has them: read from the address of a page, and their moments as text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from tasks_app.geo.days import day_range
from tasks_app.web.date_inputs import DateInput

FIRST_YEAR, LAST_YEAR = 1980, 2200
# The form has a field called date.
Day = date


class DayForm(forms.Form):
    """The day of a page, and a time of it to jump to."""

    date = forms.DateField(
        label=_("Day"),
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=DateInput(),
        error_messages={"invalid": _("This is no day: write it like 2026-11-28.")},
    )
    at = forms.TimeField(
        label=_("At"),
        required=False,
        input_formats=["%H:%M", "%H:%M:%S"],
        widget=forms.TimeInput(attrs={"type": "time", "step": "any"}, format="%H:%M:%S"),
        error_messages={"invalid": _("This is no time: write it like 15:00.")},
    )

    def clean_date(self) -> Day | None:
        day: Day | None = self.cleaned_data["date"]
        if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise forms.ValidationError(_("No positions are kept of this year."))
        return day


@dataclass(frozen=True, slots=True)
class ShownDay:
    """A day of the reader's zone as `[start, end)` in UTC, and the time to jump to, if one was asked for."""

    day: date
    start: datetime
    end: datetime
    today: date
    at: datetime | None

    @property
    def previous(self) -> date:
        return self.day - timedelta(days=1)

    @property
    def following(self) -> date | None:
        """The next day, None after today."""
        return self.day + timedelta(days=1) if self.day < self.today else None

    @property
    def hours(self) -> int:
        """The length of the day: 23 or 25 hours where the clocks change."""
        return round((self.end - self.start).total_seconds() / 3600)

    def text(self, at: datetime) -> str:
        """Return a time of this day to the second, with its day where that is another one."""
        local = timezone.localtime(at)
        return date_format(local, "TIME_FORMAT" if local.date() == self.day else "DATETIME_FORMAT")

    def clock(self, at: datetime) -> str:
        """Return a time of this day as its address says it, "" for one of another day."""
        return timezone.localtime(at).strftime("%H:%M:%S") if self.start <= at < self.end else ""

    def quarters(self) -> list[str]:
        """Return the hours at the ends and quarters of the day, for below a graph."""
        part = (self.end - self.start) / 4
        return [date_format(timezone.localtime(self.start + part * number), "H:i") for number in range(5)]


def reader_zone() -> tzinfo:
    return timezone.get_current_timezone()


def asked_day(request: HttpRequest) -> tuple[ShownDay, DayForm]:
    """Return the day that the address names, today if it names none that can be shown, and the form with its errors."""
    form = DayForm(request.GET)
    form.is_valid()
    data: dict[str, Any] = form.cleaned_data
    today = timezone.localdate()
    return shown_day(data.get("date") or today, data.get("at"), today), form


def shown_day(day: date, at: time | None, today: date) -> ShownDay:
    """Return a day in the reader's zone. A time that the clocks skip is moved by as much, of one they repeat the first
    is meant."""
    zone = reader_zone()
    start, end = day_range(day, ZoneInfo(str(zone)))
    jump_at = None if at is None else datetime.combine(day, at, zone).astimezone(UTC)
    return ShownDay(day, start, end, today, None if jump_at is None else min(max(jump_at, start), end))
