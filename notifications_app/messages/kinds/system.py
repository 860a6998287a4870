"""Trouble of the system itself, for administrators."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from notifications_app.messages.kinds.base import SAMPLE_SPOT
from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot
from notifications_app.models.kinds import MessageKind, NotificationKind

SYSTEM = MessageKind(
    NotificationKind.SYSTEM.value,
    _("System"),
    sample={"title": "Disk", "message": "90 %", "level": "warning", "spot": Spot(SAMPLE_SPOT.at)},
    rule_label=_("System alert"),
    rule_phrase=_("the system needs attention"),
)


def system_message(*, subject: str, message: str, level: str, at: datetime, fleet: str = "") -> Message:
    """A message for administrators or, with a fleet, for those who keep its rules."""
    return Message(
        SYSTEM.kind, {"title": subject, "message": message, "level": level, "spot": Spot(at), "keeps_rules_of": fleet}
    )


KINDS = (SYSTEM,)
EVENTS = ()
