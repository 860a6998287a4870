"""Alarms as people read them: the names that Traccar gave them, which most devices and programs use, are translated."""

from __future__ import annotations

import re

from django.utils.translation import gettext, pgettext_lazy

_CAPITAL = re.compile(r"(?<=[a-z])[A-Z]")
_KNOWN = {
    "general": pgettext_lazy("alarm", "general"),
    "sos": pgettext_lazy("alarm", "SOS"),
    "vibration": pgettext_lazy("alarm", "vibration"),
    "movement": pgettext_lazy("alarm", "movement"),
    "lowspeed": pgettext_lazy("alarm", "low speed"),
    "overspeed": pgettext_lazy("alarm", "overspeed"),
    "fall down": pgettext_lazy("alarm", "fall down"),
    "low power": pgettext_lazy("alarm", "low power"),
    "low battery": pgettext_lazy("alarm", "low battery"),
    "fault": pgettext_lazy("alarm", "fault"),
    "power off": pgettext_lazy("alarm", "power off"),
    "power on": pgettext_lazy("alarm", "power on"),
    "door": pgettext_lazy("alarm", "door"),
    "lock": pgettext_lazy("alarm", "lock"),
    "unlock": pgettext_lazy("alarm", "unlock"),
    "geofence": pgettext_lazy("alarm", "geofence"),
    "geofence enter": pgettext_lazy("alarm", "geofence enter"),
    "geofence exit": pgettext_lazy("alarm", "geofence exit"),
    "gps antenna cut": pgettext_lazy("alarm", "gps antenna cut"),
    "accident": pgettext_lazy("alarm", "accident"),
    "tow": pgettext_lazy("alarm", "tow"),
    "idle": pgettext_lazy("alarm", "idle"),
    "high rpm": pgettext_lazy("alarm", "high rpm"),
    "hard acceleration": pgettext_lazy("alarm", "hard acceleration"),
    "hard braking": pgettext_lazy("alarm", "hard braking"),
    "hard cornering": pgettext_lazy("alarm", "hard cornering"),
    "lane change": pgettext_lazy("alarm", "lane change"),
    "fatigue driving": pgettext_lazy("alarm", "fatigue driving"),
    "power cut": pgettext_lazy("alarm", "power cut"),
    "power restored": pgettext_lazy("alarm", "power restored"),
    "jamming": pgettext_lazy("alarm", "jamming"),
    "temperature": pgettext_lazy("alarm", "temperature"),
    "parking": pgettext_lazy("alarm", "parking"),
    "bonnet": pgettext_lazy("alarm", "bonnet"),
    "foot brake": pgettext_lazy("alarm", "foot brake"),
    "fuel leak": pgettext_lazy("alarm", "fuel leak"),
    "tampering": pgettext_lazy("alarm", "tampering"),
    "removing": pgettext_lazy("alarm", "removing"),
}


def alarm_words(alarm: str) -> str:
    """The device's name for an alarm as a person reads it: `SOS`, `hard braking` for hardBraking."""
    if not alarm:
        return gettext("unknown")
    words = _CAPITAL.sub(r" \g<0>", alarm).lower()
    return str(_KNOWN.get(words, words))
