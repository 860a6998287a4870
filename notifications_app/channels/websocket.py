"""Open pages of a person: over the channel layer to every web process that holds one (/ws/notifications/)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from channels.layers import get_channel_layer
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from redis.exceptions import RedisError

from notifications_app.channels.base import Channel, DeliveryError
from tasks_app.services.broadcast import group_channel
from tasks_app.utils.iso_times import iso_utc
from tasks_app.utils.redis_client import redis_client

if TYPE_CHECKING:
    from notifications_app.models import Delivery, Notification


class WebSocketChannel(Channel):
    kind = "websocket"
    label = gettext_lazy("Open pages")
    phrase = gettext_lazy("on open pages")

    def send(self, delivery: Delivery, address: str) -> str:
        """Publish to the person's open pages. No open page is no failure: the notification is in the inbox."""
        notification = delivery.notification
        layer: Any = get_channel_layer()
        message = {"type": "notification.created", "notification": as_json(notification)}
        try:
            listeners = redis_client().publish(
                group_channel(user_group(notification.user_id)), layer.serialize(message)
            )
        except RedisError as error:
            raise DeliveryError(str(error), permanent=False) from error
        return _("sent to %(number)d web processes") % {"number": listeners} if listeners else _("no page is open")


def user_group(user_id: int) -> str:
    """The group of a user's open pages; only the server says who joins it."""
    return f"notifications.{user_id}"


def as_json(notification: Notification) -> dict[str, Any]:
    """The notification as open pages get it."""
    return {
        "id": notification.pk,
        "kind": notification.kind,
        "subject": notification.subject,
        "text": notification.body_text,
        "device_id": notification.device_id,
        "event_id": notification.event_id,
        "created_at": iso_utc(notification.created_at),
    }
