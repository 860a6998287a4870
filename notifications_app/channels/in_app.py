"""The inbox in the application: the stored notification is the message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy

from notifications_app.channels.base import Channel

if TYPE_CHECKING:
    from notifications_app.models import Delivery


class InAppChannel(Channel):
    kind = "in_app"
    label = gettext_lazy("In the application")
    phrase = gettext_lazy("in the application")
    sent_by_writing = True

    def send(self, delivery: Delivery, address: str) -> str:
        """Do nothing: the stored notification is in the inbox."""
        return ""
