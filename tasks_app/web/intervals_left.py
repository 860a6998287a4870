"""Texts of the rest of the intervals of a maintenance plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks_app.geo.units import Units, in_unit, unit_symbol
from tasks_app.web.quantities import METRIC, format_number

_WORDS_LEFT: dict[str, Callable[[int], str]] = {
    "h": lambda n: ngettext("%(n)s hour left", "%(n)s hours left", n),
    "days": lambda n: ngettext("%(n)s day left", "%(n)s days left", n),
}
_WORDS_OVER: dict[str, Callable[[int], str]] = {
    "h": lambda n: ngettext("%(n)s hour over", "%(n)s hours over", n),
    "days": lambda n: ngettext("%(n)s day over", "%(n)s days over", n),
}


def distance_left(kilometers: float, units: Units) -> str:
    """Return the rest of an interval of distance, or the excess over it, in the reader's unit."""
    words = _("%(amount)s over") if kilometers <= 0 else _("%(amount)s left")
    amount = f"{format_number(in_unit(abs(kilometers), units.distance))} {unit_symbol(units.distance)}"
    return words % {"amount": amount}


def left(number: float, unit: str) -> str:
    """Return the rest of an interval, or the excess over it; `unit` is h or days."""
    amount = abs(round(number))
    words = _WORDS_OVER[unit](amount) if number <= 0 else _WORDS_LEFT[unit](amount)
    return words % {"n": format_number(amount)}


_INTERVALS: dict[str, Callable[[float, Units], str]] = {
    "kilometers": distance_left,
    "engine_hours": lambda number, units: left(number, "h"),
    "days": lambda number, units: left(number, "days"),
}


def remaining_text(remaining: Mapping[str, float], units: Units = METRIC) -> str:
    """Return what is left of each interval, by the names of `MaintenanceDue`: "900 km left, 2 days over"."""
    return ", ".join(words(remaining[name], units) for name, words in _INTERVALS.items() if name in remaining)
