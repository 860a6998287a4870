"""The values that staff's own texts may name: texts only, already in the reader's language, units and time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext_noop

from notifications_app.messages import Spot
from notifications_app.models.kinds import NotificationKind
from notifications_app.rendering import Message
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
OWN_KINDS = [(kind, label) for kind, label in NotificationKind.choices if kind in SAMPLES]


def values_of(message: Message, *, units: Units, site_url: str, zone: str) -> dict[str, str]:
    """Every value by name; empty where it is not known. Call it while the reader's language and zone are active."""
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


def _texts(name: str, value: Any, units: Units) -> dict[str, str]:
    if name == "left":
        return {
            "distance_left": "" if value.get("kilometers") is None else distance_left(value["kilometers"], units),
            "engine_hours_left": "" if value.get("engine_hours") is None else left(value["engine_hours"], "h"),
            "days_left": "" if value.get("days") is None else left(value["days"], "days"),
        }
    if name in ("speed_kph", "limit_kph", "peak_kph"):
        shown = {"speed_kph": "speed", "limit_kph": "speed_limit", "peak_kph": "top_speed"}[name]
        return {shown: "" if value is None else speed(value, units)}
    if name == "driven_meters":
        return {"distance": "" if value is None else driven(value, units)}
    if name == "start":
        return {"started": "" if value is None else moment(value.at)}
    if name in ("offline_minutes", "lasted_minutes"):
        return {"duration": "" if value is None else duration(value)}
    if name == "percent":
        return {"battery": "" if value is None else f"{value:.0f} %"}
    if name == "alarm":
        return {"alarm": alarm_words(value)}
    if isinstance(value, bool):
        return {name: "1" if value else ""}
    return {name: str(value)} if isinstance(value, str) else {}
