"""Quantities as text for people: durations, and speeds and distances in the units of the reader."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from tasks_app.geo.units import Units, in_unit, unit_symbol

MISSING = "–"
METRIC = Units()


def units_of(request: HttpRequest) -> Units:
    """Return the units in which the user reads, as the middleware of preferences notes them; metric by default."""
    return getattr(request, "units", METRIC)


def format_speed(speed_kph: float | None, units: Units = METRIC) -> str:
    """Return a speed without decimals: 42 km/h."""
    if speed_kph is None:
        return MISSING
    return f"{format_number(in_unit(speed_kph, units.speed))} {unit_symbol(units.speed)}"


def format_distance(meters: float | None, units: Units = METRIC) -> str:
    """Return a distance with one decimal: 12.3 km."""
    if meters is None:
        return MISSING
    return f"{format_number(in_unit(meters / 1000, units.distance), 1)} {unit_symbol(units.distance)}"


def format_number(value: float, decimals: int = 0) -> str:
    """Return a number in the reader's language."""
    return number_format(round(value, decimals), decimals, use_l10n=True, force_grouping=True)


def format_seconds(seconds: float | None) -> str:
    """Return a duration for people: 12 ms, 3.4 s, 5 min 2 s, 3 h 10 min, 2 d 4 h."""
    if seconds is None:
        return MISSING
    seconds = max(0.0, seconds)
    if seconds < 1:
        return _("%d ms") % round(seconds * 1000)
    if seconds < 60:
        return _("%s s") % number_format(seconds, 1)
    whole = int(seconds)
    if whole < 3600:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": whole // 60, "seconds": whole % 60}
    if whole < 86400:
        return _("%(hours)d h %(minutes)d min") % {"hours": whole // 3600, "minutes": whole % 3600 // 60}
    return _("%(days)d d %(hours)d h") % {"days": whole // 86400, "hours": whole % 86400 // 3600}
