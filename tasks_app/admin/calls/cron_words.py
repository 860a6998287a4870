"""A cron expression in words. The libraries for it have no Brazilian Portuguese and leave names of days in English."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from django.utils.dates import MONTHS, WEEKDAYS
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_STEP = re.compile(r"(?:\*|0)/([0-9]{1,2})")
_RANGE = re.compile(r"([a-z0-9]+)-([a-z0-9]+)")
_NTH = re.compile(r"([a-z0-9]+)#([1-5])")
_DAY_NUMBERS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_MONTH_NUMBERS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}


class _NoWordsError(ValueError):
    """This expression is too intricate for a sentence."""


def cron_words(expression: str | None) -> str:
    """Return a valid expression as a phrase ("At 03:30, from Monday to Friday"); one without words as it is."""
    text = (expression or "").strip()
    fields = ALIASES.get(text.lower(), text).lower().replace("?", "*").split()
    if len(fields) not in (5, 6):
        return text
    minute, hour, day, month, weekday = fields[:5]
    try:
        parts = [_time(fields[5] if len(fields) == 6 else "0", minute, hour), _days(day, weekday), _months(month)]
    except (_NoWordsError, ValueError, KeyError):
        return text
    return str(capfirst(", ".join(part for part in parts if part)))


def _time(second: str, minute: str, hour: str) -> str:
    if second != "0":
        if (minute, hour) != ("*", "*"):
            raise _NoWordsError
        return _every_second(second)
    hours, minutes = _numbers(hour), _numbers(minute)
    if hours and minutes and len(hours) * len(minutes) <= 6:
        return _("at %(times)s") % {"times": _listed([f"{h:02d}:{m:02d}" for h in hours for m in minutes])}
    return ", ".join(part for part in (_minutes(minute, hour), _hours(hour)) if part)


def _every_second(second: str) -> str:
    if second == "*":
        return _("every second")
    if step := _STEP.fullmatch(second):
        return ngettext("every %d second", "every %d seconds", int(step[1])) % int(step[1])
    if found := _numbers(second):
        return _("every minute at second %(seconds)s") % {"seconds": _listed(list(map(str, found)))}
    raise _NoWordsError


def _minutes(minute: str, hour: str) -> str:
    if minute == "*":
        return _("every minute")
    if step := _STEP.fullmatch(minute):
        return ngettext("every %d minute", "every %d minutes", int(step[1])) % int(step[1])
    found = _numbers(minute)
    if not found:
        raise _NoWordsError
    if found == [0]:
        return _("every hour") if _STEP.fullmatch(hour) is None else ""
    return _("every hour at minute %(minutes)s") % {"minutes": _listed(list(map(str, found)))}


def _hours(hour: str) -> str:
    if hour == "*":
        return ""
    if step := _STEP.fullmatch(hour):
        return ngettext("every %d hour", "every %d hours", int(step[1])) % int(step[1])
    parts = []
    for atom in hour.split(","):
        found = _RANGE.fullmatch(atom)
        first, last = (int(found[1]), int(found[2])) if found else (int(atom), int(atom))
        parts.append(_("from %(first)s to %(last)s") % {"first": f"{first:02d}:00", "last": f"{last:02d}:59"})
    return _listed(parts)


def _days(day: str, weekday: str) -> str:
    """Where both are given, a day that fits either counts."""
    of_month = "" if day == "*" else _days_of_month(day)
    of_week = "" if weekday == "*" else _weekdays(weekday)
    if of_month and of_week:
        return _("%(one)s or %(other)s") % {"one": of_month, "other": of_week}
    return of_month or of_week


def _days_of_month(day: str) -> str:
    if day == "l":
        return _("on the last day of the month")
    if step := _STEP.fullmatch(day):
        return ngettext("every %d day of the month", "every %d days of the month", int(step[1])) % int(step[1])
    return _("on day %(days)s of the month") % {"days": _atoms(day, lambda atom: str(int(atom)))}


def _weekdays(weekday: str) -> str:
    if nth := _NTH.fullmatch(weekday):
        return _("on %(day)s number %(count)s of the month") % {"day": _weekday(nth[1]), "count": nth[2]}
    return _named(weekday, _weekday, _("on %(names)s"))


def _months(month: str) -> str:
    if month == "*":
        return ""
    if step := _STEP.fullmatch(month):
        return ngettext("every %d month", "every %d months", int(step[1])) % int(step[1])
    return _named(month, _month, _("in %(names)s"))


def _named(field: str, name: Callable[[str], str], phrase: str) -> str:
    if found := _RANGE.fullmatch(field):
        return _("from %(first)s to %(last)s") % {"first": name(found[1]), "last": name(found[2])}
    return phrase % {"names": _atoms(field, name)}


def _atoms(field: str, name: Callable[[str], str]) -> str:
    parts = []
    for atom in field.split(","):
        found = _RANGE.fullmatch(atom)
        parts.append(f"{name(found[1])}–{name(found[2])}" if found else name(atom))
    return _listed(parts)


def _weekday(text: str) -> str:
    return str(WEEKDAYS[(_number(text, _DAY_NUMBERS) + 6) % 7])


def _month(text: str) -> str:
    return str(MONTHS[_number(text, _MONTH_NUMBERS)])


def _number(text: str, names: Mapping[str, int]) -> int:
    return names[text] if text in names else int(text)


def _numbers(field: str) -> list[int]:
    """Return the values of a plain list, none for any other field."""
    return [int(atom) for atom in field.split(",")] if all(atom.isdecimal() for atom in field.split(",")) else []


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return _("%(first)s and %(last)s") % {"first": ", ".join(parts[:-1]), "last": parts[-1]}
