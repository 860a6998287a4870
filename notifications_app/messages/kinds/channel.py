"""A channel was switched off, or is tested."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot
from notifications_app.models.kinds import CHANNEL_KINDS, MessageKind, NotificationKind

CHANNEL_OFF = MessageKind(NotificationKind.CHANNEL_OFF.value, _("Channel switched off"), waits_in_quiet_hours=True)
TEST = MessageKind(NotificationKind.TEST.value, _("Test"), can_be_unsubscribed=False)


def channel_off_message(*, channel: str, name: str, reason: str, at: datetime) -> Message:
    context = {"channel": CHANNEL_KINDS[channel].label, "name": name, "why": reason, "spot": Spot(at)}
    return Message(CHANNEL_OFF.kind, context)


def channel_test_message(*, channel: str, name: str, at: datetime) -> Message:
    return Message(TEST.kind, {"channel": CHANNEL_KINDS[channel].label, "name": name, "spot": Spot(at)})


KINDS = (CHANNEL_OFF, TEST)
EVENTS = ()
