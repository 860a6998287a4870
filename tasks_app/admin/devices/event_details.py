"""The data of an event as a short text for a table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from tasks_app.admin.common import format_seconds
from tasks_app.utils.clock import exact_time

_INTERVALS: dict[str, Callable[[], str]] = {
    "kilometers": lambda: _("%s km left"),
    "engine_hours": lambda: _("%s h left"),
    "days": lambda: _("%s days left"),
}
# In the order in which they are shown; other names of `Event.data` are in a column of their own, or on the event's page.
_WORDS: dict[str, Callable[[Any], str]] = {
    "alarm": str,
    "result": str,
    "plan": str,
    "remaining": lambda left: ", ".join(
        _INTERVALS[unit]() % _number(left[unit], 0) for unit in _INTERVALS if unit in left
    ),
    "speed_kph": lambda kph: _("%s km/h") % _number(kph, 0),
    "peak_kph": lambda kph: _("peak %s km/h") % _number(kph, 0),
    "speed_limit_kph": lambda kph: _("limit %s km/h") % _number(kph, 0),
    "distance_meters": lambda meters: _("%s km") % _number(meters / 1000, 1),
    "duration_seconds": format_seconds,
    "average_speed_kph": lambda kph: _("average %s km/h") % _number(kph, 0),
    "max_speed_kph": lambda kph: _("at most %s km/h") % _number(kph, 0),
    "battery_percent": lambda percent: _("battery %s %%") % _number(percent, 0),
    "last_fix_at": lambda at: _("last known place of %s") % exact_time(datetime.fromisoformat(at)),
    "offline_minutes": lambda minutes: _("silent for %s") % format_seconds(minutes * 60),
}


def event_details(data: dict[str, Any]) -> list[str]:
    """The quantities of `Event.data` (see the model) with their units, those that are there."""
    return [words(data[name]) for name, words in _WORDS.items() if data.get(name) is not None]


def _number(value: float, decimals: int) -> str:
    return number_format(round(value, decimals), decimals, use_l10n=True, force_grouping=True)
