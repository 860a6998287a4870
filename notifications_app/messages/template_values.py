"""The values that staff's own texts may name: texts only, already in the recipient's language, units and time zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext_noop

from notifications_app.messages.contents import Spot
from notifications_app.messages.rendering import Message
from notifications_app.models.kinds import NotificationKind
from notifications_app.templatetags.notification_texts import (
    alarm_words,
    distance_left,
    driven,
    duration,
    left,
    moment,
    speed,
)
from tasks_app.geo.units import Units

_SAMPLE_SPOT = Spot(datetime(2026, 11, 23, 13, 0, tzinfo=UTC), -23.55, -46.63)
_SAMPLE_VEHICLE = {"vehicle": "Van 12", "fleet": "São Paulo", "spot": _SAMPLE_SPOT}
# What each kind of news that may have texts of its own looks like; its values are the names there are.
SAMPLES: dict[str, Message] = {
    kind: Message(kind, context)
    for kind, context in (
        ("geofence", {**_SAMPLE_VEHICLE, "geofence": "Depot", "entered": True}),
        ("speed", {**_SAMPLE_VEHICLE, "speed_kph": 101.6, "limit_kph": 90.0}),
        ("speed_end", {**_SAMPLE_VEHICLE, "limit_kph": 90.0, "peak_kph": 112.3, "lasted_minutes": 6.4}),
        (
            "trip",
            {
                **_SAMPLE_VEHICLE,
                "is_end": True,
                "start": Spot(datetime(2026, 11, 23, 12, 12, tzinfo=UTC), -23.61, -46.70),
                "driven_meters": 17_300.0,
                "lasted_minutes": 48.0,
            },
        ),
        ("offline", {**_SAMPLE_VEHICLE, "offline_minutes": 75.0, "is_back": False}),
        ("ignition", {**_SAMPLE_VEHICLE, "is_on": True}),
        ("alarm", {**_SAMPLE_VEHICLE, "alarm": "sos"}),
        ("battery", {**_SAMPLE_VEHICLE, "percent": 14.0}),
        ("command", {**_SAMPLE_VEHICLE, "result": "OK"}),
        (
            "maintenance",
            {
                **_SAMPLE_VEHICLE,
                "spot": Spot(_SAMPLE_SPOT.at),
                "plan": gettext_noop("Oil change"),
                "is_due": True,
                "left": {"kilometers": -150.0, "engine_hours": 20.0, "days": 3.0},
            },
        ),
        ("system", {"title": "Disk", "message": "90 %", "level": "warning", "spot": Spot(_SAMPLE_SPOT.at)}),
    )
}
CUSTOMIZABLE_KINDS = [(kind, label) for kind, label in NotificationKind.choices if kind in SAMPLES]


def values_of(message: Message, *, units: Units, site_url: str, zone: str) -> dict[str, str]:
    """Every value by name; empty where it is not known. Call it while the recipient's language and zone are active."""
    context = message.context
    spot: Spot | None = context.get("spot")
    values = {
        "when": moment(spot.at) if spot else "",
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
    "start": ("started", lambda spot, units: moment(spot.at)),
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
    return {name: str(value)} if isinstance(value, str) else {}
