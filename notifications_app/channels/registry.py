"""The channels there are. A new one is a line here."""

from __future__ import annotations

from notifications_app.channels.apprise import AppriseChannel
from notifications_app.channels.base import Channel
from notifications_app.channels.email import EmailChannel
from notifications_app.channels.in_app import InAppChannel
from notifications_app.channels.webhook import WebhookChannel
from notifications_app.channels.websocket import WebSocketChannel
from notifications_app.models.kinds import CHANNEL_KINDS

CHANNELS: dict[str, Channel] = {
    channel.kind: channel
    for channel in (
        InAppChannel(),
        EmailChannel(),
        WebhookChannel(),
        AppriseChannel(),
        WebSocketChannel(),
    )
}
CHANNEL_KINDS.register(*CHANNELS.values())
