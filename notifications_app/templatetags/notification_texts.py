"""Template filters of notifications."""

from __future__ import annotations

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

register = template.Library()


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
def left(number: float, unit: str) -> str:
    """What is left of an interval, or by how much it is exceeded; `unit` is km, h or days."""
    amount = abs(round(number))
    if unit == "days":
        return _days_over(amount) if number <= 0 else _days_left(amount)
    texts = {
        "km": (_("%(n)s km left"), _("%(n)s km over")),
        "h": (_("%(n)s hours left"), _("%(n)s hours over")),
    }
    return texts[unit][number <= 0] % {"n": number_format(amount, use_l10n=True, force_grouping=True)}


def _days_left(days: int) -> str:
    return ngettext("%(n)d day left", "%(n)d days left", days) % {"n": days}


def _days_over(days: int) -> str:
    return ngettext("%(n)d day over", "%(n)d days over", days) % {"n": days}
