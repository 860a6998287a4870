"""The times of a rule in words: "on Monday to Friday between 08:00 and 18:00 (Sao Paulo)"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from notifications_app.messages.sentence_parts import join_and, join_or

MAX_WINDOWS = 3
DAYS_PER_WEEK = 7


def windows_words(windows: Sequence[dict[str, Any]], zone: str) -> str:
    """Return when it is open, on the clocks of `zone`; without one, on those of each fleet."""
    is_short = len(windows) <= MAX_WINDOWS
    times = join_or([_window(one) for one in windows]) if is_short else _("at certain times of the week")
    return f"{times} ({_place(zone) if zone else _('on the clocks of each fleet')})"


def _window(window: dict[str, Any]) -> str:
    clock = {"begin": window["from"], "end": window["to"], "days": _days(window["days"])}
    is_daily = len(window["days"]) == DAYS_PER_WEEK
    if clock["begin"] > clock["end"]:
        daily, others = (
            _("at night from %(begin)s to %(end)s"),
            _("on the nights of %(days)s from %(begin)s to %(end)s"),
        )
    else:
        daily, others = _("between %(begin)s and %(end)s"), _("on %(days)s between %(begin)s and %(end)s")
    return (daily if is_daily else others) % clock


def _days(days: Sequence[int]) -> str:
    """Three days or more in a row as a range."""
    ordered = sorted(days)
    first, last = ordered[0], ordered[-1]
    if len(ordered) > 2 and last - first == len(ordered) - 1:
        return _("%(first)s to %(last)s") % {"first": WEEKDAYS[first], "last": WEEKDAYS[last]}
    return join_and([str(WEEKDAYS[day]) for day in ordered])


def _place(zone: str) -> str:
    return zone.rpartition("/")[2].replace("_", " ")
