"""Sending one delivery: claim it, send it, write down how it went."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from notifications_app.channels.base import Channel, DeliveryError
from notifications_app.channels.registry import CHANNELS
from notifications_app.models import Delivery, DeliveryState
from notifications_app.services.lease import Claim, claim_delivery, give_up_delivery
from tasks_app.engine import PermanentError, get_task
from tasks_app.queries.access import visible_devices


class DeliveryBusy(Exception):
    """Another attempt is sending this delivery right now, or died doing so less than two minutes ago."""


def deliver(delivery_id: int, *, now: datetime) -> str:
    """Send a delivery; return its state: `sent`, or what it was already when there was nothing to do.

    Raises DeliveryError when trying again may help, DeliveryBusy when someone else is at it, and PermanentError when
    the delivery failed for good or does not exist.
    """
    max_attempts = get_task("deliver_notification").retry_policy.max_attempts
    claim = claim_delivery(delivery_id, max_attempts=max_attempts, now=now)
    if claim is None:
        return _settled_state(delivery_id, max_attempts=max_attempts, now=now)
    delivery = Delivery.objects.select_related("notification__user", "notification__device").get(pk=delivery_id)
    try:
        address = _send(delivery)
    except DeliveryError as error:
        _record_failure(claim, error, is_last=claim.attempt >= max_attempts)
        raise
    claim.release(state=DeliveryState.SENT, sent_at=timezone.now(), address=address, last_error="")
    return DeliveryState.SENT.value


def _send(delivery: Delivery) -> str:
    """Send and return the address it went to. Raises DeliveryError."""
    _refuse_if_not_entitled(delivery)
    channel = _channel(delivery.channel)
    address = delivery.notification.on_behalf_to or channel.address_of(delivery.notification.user)
    channel.send(delivery, address)
    return address


def _refuse_if_not_entitled(delivery: Delivery) -> None:
    """Rights may have been lost between writing and sending."""
    user, device = delivery.notification.user, delivery.notification.device
    if not user.is_active:
        raise DeliveryError(_("The user is not active."), permanent=True)
    if device is not None and not visible_devices(user).filter(pk=device.pk).exists():
        raise DeliveryError(_("The user may no longer see this device."), permanent=True)


def _channel(kind: str) -> Channel:
    if kind not in CHANNELS:
        raise DeliveryError(_("There is no channel %(kind)s.") % {"kind": kind}, permanent=True)
    return CHANNELS[kind]


def _record_failure(claim: Claim, error: DeliveryError, *, is_last: bool) -> None:
    """Write the reason down; a failure for good becomes a PermanentError, so that the job is not tried again."""
    for_good = error.permanent or is_last
    claim.release(state=DeliveryState.FAILED if for_good else DeliveryState.PENDING, last_error=str(error))
    if for_good:
        raise PermanentError(str(error)) from error


def _settled_state(delivery_id: int, *, max_attempts: int, now: datetime) -> str:
    reason = _("Every attempt was used up.")
    if give_up_delivery(delivery_id, max_attempts=max_attempts, reason=reason, now=now):
        raise PermanentError(reason)
    state = Delivery.objects.filter(pk=delivery_id).values_list("state", flat=True).first()
    if state is None:
        raise PermanentError(_("There is no delivery %(id)s.") % {"id": delivery_id})
    if state in (DeliveryState.PENDING, DeliveryState.SENDING):
        raise DeliveryBusy(_("Another attempt is sending this delivery."))
    return state
