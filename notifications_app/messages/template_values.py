"""The values of custom templates: texts in the recipient's language, units and time zone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.functional import Promise

from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot
from notifications_app.models.kinds import MESSAGE_KINDS, Text
from notifications_app.templatetags.alarm_names import alarm_words
from notifications_app.templatetags.notification_texts import (
    distance_left,
    driven,
    duration,
    left,
    speed,
    timestamp,
)
from tasks_app.geo.units import Units


def samples() -> dict[str, Message]:
    """A sample message of each kind that custom templates may replace; its values are the names they may use."""
    return {one.kind: Message(one.kind, dict(one.sample)) for one in MESSAGE_KINDS if one.sample is not None}


def customizable_kinds() -> list[tuple[str, Text]]:
    """The kinds with samples, as choices."""
    return [(one.kind, one.label) for one in MESSAGE_KINDS if one.sample is not None]


def values_of(message: Message, *, units: Units, site_url: str, zone: str) -> dict[str, str]:
    """Return every value by name, empty if unknown. Call it with the recipient's language and zone active."""
    context = message.context
    spot: Spot | None = context.get("spot")
    values = {
        "when": timestamp(spot.at) if spot else "",
        "map_url": spot.map_url if spot else "",
        "site_url": site_url,
        "zone": zone,
    }
    for name, value in context.items():
        if name != "spot":
            values |= _texts(name, value, units)
    return values


# What a message holds, by its name: under which name a text may use it, and how it is written.
_WRITTEN: dict[str, tuple[str, Callable[[Any, Units], str]]] = {
    "speed_kph": ("speed", speed),
    "limit_kph": ("speed_limit", speed),
    "peak_kph": ("top_speed", speed),
    "driven_meters": ("distance", driven),
    "start": ("started", lambda spot, units: timestamp(spot.at)),
    "offline_minutes": ("duration", lambda minutes, units: duration(minutes)),
    "lasted_minutes": ("duration", lambda minutes, units: duration(minutes)),
    "percent": ("battery", lambda percent, units: f"{percent:.0f} %"),
    "alarm": ("alarm", lambda alarm, units: alarm_words(alarm)),
}
_WRITTEN_LEFT: dict[str, tuple[str, Callable[[Any, Units], str]]] = {
    "kilometers": ("distance_left", distance_left),
    "engine_hours": ("engine_hours_left", lambda hours, units: left(hours, "h")),
    "days": ("days_left", lambda days, units: left(days, "days")),
}


def _texts(name: str, value: Any, units: Units) -> dict[str, str]:
    if name == "left":
        rows = ((shown, value.get(unit), write) for unit, (shown, write) in _WRITTEN_LEFT.items())
        return {shown: "" if amount is None else write(amount, units) for shown, amount, write in rows}
    if name in _WRITTEN:
        shown, write = _WRITTEN[name]
        return {shown: "" if value is None else write(value, units)}
    if isinstance(value, bool):
        return {name: "1" if value else ""}
    return {name: str(value)} if isinstance(value, str | Promise) else {}
