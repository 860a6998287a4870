"""The right of a user to a message at the moment it is sent: it may have waited for hours."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from notifications_app.channels.base import DeliveryError
from notifications_app.models import ChannelKind, Delivery, NotificationKind
from notifications_app.queries.digest_contents import merged_into
from notifications_app.queries.targets import is_unsubscribed_from
from notifications_app.services.deliveries.backlog import put_into_words
from notifications_app.signals import message_about_to_go
from tasks_app.models import Device, Fleet
from tasks_app.queries.access import visible_devices, visible_fleets


def refuse_if_not_entitled(delivery: Delivery, *, now: datetime) -> None:
    """Raise DeliveryError if the user lost the right to the message since it was written, or unsubscribed from it.

    A digest after an outage is worded anew without the devices that were lost, and refused if none is left.
    """
    notification = delivery.notification
    user, device = notification.user, notification.device
    if not user.is_active:
        raise DeliveryError(_("The user is not active."), permanent=True)
    devices, fleets = visible_devices(user), visible_fleets(user)
    if device is not None and not devices.filter(pk=device.pk).exists():
        raise DeliveryError(_("The user may no longer see this device."), permanent=True)
    if _are_lost(Device.objects.all(), notification.named_device_ids, devices):
        raise DeliveryError(_("The user may no longer see this device."), permanent=True)
    if _are_lost(Fleet.objects.all(), notification.named_fleet_ids, fleets):
        raise DeliveryError(_("The user may no longer see this fleet."), permanent=True)
    if delivery.channel == ChannelKind.EMAIL and is_unsubscribed_from(notification):
        raise DeliveryError(_("The user unsubscribed from these e-mails."), permanent=True)
    if notification.kind == NotificationKind.DIGEST:
        _leave_out_lost_devices(delivery, now=now)
    for _receiver, reason in message_about_to_go.send(sender=Delivery, notification=notification):
        if reason:
            raise DeliveryError(reason, permanent=True)


def _are_lost(rows: QuerySet[Any], named: Collection[int] | None, visible: QuerySet[Any]) -> bool:
    """Return whether one of the named rows exists and is not visible."""
    return bool(named) and rows.filter(pk__in=named).exclude(pk__in=visible.order_by().values("pk")).exists()


def _leave_out_lost_devices(digest: Delivery, *, now: datetime) -> None:
    user = digest.notification.user
    merged = Delivery.objects.filter(merged_into=digest.pk, notification__device__isnull=False)
    if not merged.exclude(notification__device__in=visible_devices(user).order_by().values("pk")).exists():
        return
    if not merged_into(digest).exists():
        raise DeliveryError(_("The user may no longer see this device."), permanent=True)
    put_into_words(digest, user, now)
    digest.notification.refresh_from_db(fields=["subject", "body_text", "body_html"])
