"""A digest: one message in place of many that were held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot
from notifications_app.models.kinds import MessageKind, NotificationKind

DIGEST = MessageKind(NotificationKind.DIGEST.value, _("Digest"))
MAX_DIGEST_LINES = 50


@dataclass(frozen=True, slots=True)
class DigestLine:
    """So many events of one kind (`what`, its label) of one vehicle."""

    vehicle: str
    what: Any
    count: int
    last_at: datetime


def digest_message(lines: Sequence[DigestLine], *, at: datetime) -> Message:
    """The lines with the highest counts first; those beyond MAX_DIGEST_LINES are counted only."""
    ordered = sorted(lines, key=lambda line: (-line.count, line.vehicle))
    listed = ordered[:MAX_DIGEST_LINES]
    total = sum(line.count for line in lines)
    context = {"lines": listed, "total": total, "not_listed": total - sum(line.count for line in listed)}
    return Message(DIGEST.kind, {**context, "spot": Spot(at)})


KINDS = (DIGEST,)
EVENTS = ()
