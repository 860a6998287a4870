"""Template filters of notifications."""

from __future__ import annotations

import re
from collections.abc import Callable

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

register = template.Library()

_CAPITAL = re.compile(r"(?<=[a-z])[A-Z]")


@register.filter
def duration(minutes: float) -> str:
    """Minutes as words: `3 days 4 h`, `2 h 15 min`, `12 min`."""
    total = max(0, round(minutes))
    days, hours, rest = total // 1440, total % 1440 // 60, total % 60
    if days:
        return " ".join(
            [ngettext("%(n)d day", "%(n)d days", days) % {"n": days}, *([_("%(n)d h") % {"n": hours}] if hours else [])]
        )
    if hours:
        return " ".join([_("%(n)d h") % {"n": hours}, *([_("%(n)d min") % {"n": rest}] if rest else [])])
    return _("%(n)d min") % {"n": rest}


@register.filter
def alarm_words(alarm: str) -> str:
    """The device's name for an alarm as a person reads it: `SOS`, `hard braking` for hardBraking."""
    if not alarm:
        return _("unknown")
    return "SOS" if alarm.lower() == "sos" else _CAPITAL.sub(r" \g<0>", alarm).lower()


@register.filter
def left(number: float, unit: str) -> str:
    """What is left of an interval, or by how much it is exceeded; `unit` is km, h or days."""
    amount = abs(round(number))
    words = _WORDS_OVER[unit](amount) if number <= 0 else _WORDS_LEFT[unit](amount)
    return words % {"n": number_format(amount, use_l10n=True, force_grouping=True)}


_WORDS_LEFT: dict[str, Callable[[int], str]] = {
    "km": lambda n: ngettext("%(n)s km left", "%(n)s km left", n),
    "h": lambda n: ngettext("%(n)s hour left", "%(n)s hours left", n),
    "days": lambda n: ngettext("%(n)s day left", "%(n)s days left", n),
}
_WORDS_OVER: dict[str, Callable[[int], str]] = {
    "km": lambda n: ngettext("%(n)s km over", "%(n)s km over", n),
    "h": lambda n: ngettext("%(n)s hour over", "%(n)s hours over", n),
    "days": lambda n: ngettext("%(n)s day over", "%(n)s days over", n),
}
