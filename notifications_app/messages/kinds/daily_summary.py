"""The daily summary of a person's fleets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot
from notifications_app.models.kinds import MessageKind, NotificationKind

DAILY_SUMMARY = MessageKind(NotificationKind.DAILY_SUMMARY.value, _("Daily summary"))


def daily_summary_message(fleets: Sequence[Any], *, at: datetime) -> Message:
    """`fleets` are queries.summary.FleetSummary."""
    return Message(DAILY_SUMMARY.kind, {"fleets": fleets, "spot": Spot(at)})


KINDS = (DAILY_SUMMARY,)
EVENTS = ()
