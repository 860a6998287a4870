"""The data of an event as a short text for a table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.geo.units import Units
from tasks_app.queries.commands import command_state_label, command_type_label, reason_text
from tasks_app.utils.clock import exact_time
from tasks_app.web.intervals_left import remaining_text
from tasks_app.web.quantities import METRIC, format_distance, format_number, format_seconds, format_speed

# In the order in which they are shown; other names of `Event.data` are in a column of their own, or on the event's page.
_WORDS: dict[str, Callable[[Any, Units], str]] = {
    "alarm": lambda text, units: str(text),
    "command": lambda name, units: command_type_label(name),
    "state": lambda name, units: command_state_label(name),
    "reason": lambda reason, units: reason_text(reason),
    "result": lambda text, units: str(text),
    "plan": lambda text, units: str(text),
    "remaining": remaining_text,
    "speed_kph": format_speed,
    "peak_kph": lambda kph, units: _("peak %s") % format_speed(kph, units),
    "speed_limit_kph": lambda kph, units: _("limit %s") % format_speed(kph, units),
    "distance_meters": format_distance,
    "duration_seconds": lambda seconds, units: format_seconds(seconds),
    "average_speed_kph": lambda kph, units: _("average %s") % format_speed(kph, units),
    "max_speed_kph": lambda kph, units: _("at most %s") % format_speed(kph, units),
    "battery_percent": lambda percent, units: _("battery %s %%") % format_number(percent),
    "last_fix_at": lambda at, units: _("last known place of %s") % exact_time(datetime.fromisoformat(at)),
    "offline_minutes": lambda minutes, units: _("silent for %s") % format_seconds(minutes * 60),
}


def event_details(data: dict[str, Any], units: Units = METRIC) -> list[str]:
    """Return the quantities of `Event.data` (see the model) with their units, those that are there."""
    return [words(data[name], units) for name, words in _WORDS.items() if data.get(name) not in (None, "")]
