"""Template filters of notifications."""

from __future__ import annotations

from datetime import date, datetime

from django import template
from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from notifications_app.templatetags.alarm_names import alarm_words
from tasks_app.geo.units import Units, in_unit, unit_symbol
from tasks_app.queries.commands import command_state_label, command_type_label, reason_text
from tasks_app.web.intervals_left import distance_left, left
from tasks_app.web.quantities import format_number

register = template.Library()


@register.filter
def duration(minutes: float) -> str:
    """Minutes as words: `3 days 4 h`, `2 h 15 min`, `12 min`, `40 s`."""
    if 0 < minutes < 1:
        return _("%(n)d s") % {"n": round(60 * minutes)}
    total = max(0, round(minutes))
    days, hours, rest = total // 1440, total % 1440 // 60, total % 60
    if days:
        return " ".join(
            [ngettext("%(n)d day", "%(n)d days", days) % {"n": days}, *([_("%(n)d h") % {"n": hours}] if hours else [])]
        )
    if hours:
        return " ".join([_("%(n)d h") % {"n": hours}, *([_("%(n)d min") % {"n": rest}] if rest else [])])
    return _("%(n)d min") % {"n": rest}


register.filter("alarm_words", alarm_words)
register.filter("command_type", command_type_label)
register.filter("command_state", command_state_label)
register.filter("command_reason", reason_text)
register.filter("distance_left", distance_left)
register.filter("left", left)


@register.filter
def timestamp(at: datetime) -> str:
    """Day and time as the language writes them, in the zone that is active: `23 November 2026, 10:00`."""
    # Translators: a date with a time, in the letters of Django's `date` filter
    return _dated(at, pgettext("date format", "j F Y, H:i"))


@register.filter
def day(at: date) -> str:
    """The day as the language writes it: `23 November 2026`."""
    # Translators: a date, in the letters of Django's `date` filter
    return _dated(at, pgettext("date format", "j F Y"))


def _dated(at: date, pattern: str) -> str:
    text = date_format(localtime(at) if isinstance(at, datetime) else at, pattern)
    # Months of Portuguese are written small, Django's have a capital.
    return text.lower() if (get_language() or "").startswith("pt") else text


@register.filter
def speed(kph: float, units: Units) -> str:
    """A speed in the recipient's unit: `101 km/h`, `63 mph`."""
    return f"{format_number(in_unit(kph, units.speed))} {unit_symbol(units.speed)}"


@register.filter
def distance(kilometers: float, units: Units) -> str:
    """A distance in the recipient's unit: `1,235 km`, `767 mi`."""
    return f"{format_number(in_unit(kilometers, units.distance))} {unit_symbol(units.distance)}"


@register.filter
def driven(meters: float, units: Units) -> str:
    """The distance of one trip in the recipient's unit: `0.4 km`, `17.3 km`, `10.7 mi`."""
    value = number_format(in_unit(meters / 1000, units.distance), 1, use_l10n=True, force_grouping=True)
    return f"{value} {unit_symbol(units.distance)}"
