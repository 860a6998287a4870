"""Events of kinds that have no file here: the message names the kind."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot, about
from notifications_app.models.kinds import MessageKind, NotificationKind
from tasks_app.models import Device

OTHER = MessageKind(NotificationKind.EVENT.value, _("Event"))


def other_message(device: Device, *, what: Any, spot: Spot | None, facts: tuple[tuple[Any, Any], ...] = ()) -> Message:
    """`what` names the event, `facts` are further (label, value) lines. A kind of event without templates uses this."""
    return Message(OTHER.kind, {**about(device, spot), "what": what, "facts": facts})


KINDS = (OTHER,)
EVENTS = ()
