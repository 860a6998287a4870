"""A device reports an alarm."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications_app.matching.event_traits import EventTraits
from notifications_app.messages.kinds.base import SAMPLE_VEHICLE, EventMessage
from notifications_app.messages.rendering import Message
from notifications_app.messages.sentence_parts import join_or
from notifications_app.messages.spot import Spot, about, event_spot
from notifications_app.models.kinds import MessageKind
from notifications_app.templatetags.alarm_names import alarm_words
from tasks_app.models import Device, Event, EventKind

ALARM = MessageKind("alarm", gettext_lazy("Alarm"), sample={**SAMPLE_VEHICLE, "alarm": "sos"}, is_failure=True)


def alarm_message(device: Device, *, alarm: str, spot: Spot) -> Message:
    """`alarm` is the device's name for it."""
    return Message(ALARM.kind, {**about(device, spot), "alarm": alarm})


def _build(event: Event, device: Device, geofence_name: str) -> Message:
    return alarm_message(device, alarm=str(event.data.get("alarm", "")), spot=event_spot(event))


def _phrase(geofences: str, alarms: Sequence[str]) -> str:
    named = join_or([alarm_words(alarm) for alarm in alarms])
    return _("raises the alarm %(alarms)s") % {"alarms": named} if named else _("raises an alarm")


KINDS = (ALARM,)
EVENTS = (EventMessage(EventKind.ALARM, _build, _phrase, EventTraits(is_urgent=True)),)
