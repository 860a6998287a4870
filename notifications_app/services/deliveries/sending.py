"""The sending of one delivery: claim it, send it, store the result."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from notifications_app.channels.base import Channel, DeliveryError
from notifications_app.channels.registry import CHANNELS
from notifications_app.models import AttemptOutcome, Delivery, DeliveryState, NotificationKind
from notifications_app.queries.audience import language_of
from notifications_app.services.deliveries.backlog import is_backlog_before, merge_backlog
from notifications_app.services.deliveries.lease import Claim, claim_delivery, give_up_delivery
from notifications_app.services.deliveries.metrics import DELIVERIES, SEND_SECONDS
from notifications_app.services.deliveries.rights import refuse_if_not_entitled
from notifications_app.services.destinations import record_test, switch_off
from notifications_app.services.notifications import enqueue_deliveries
from notifications_app.services.texts import fill_bodies
from notifications_app.signals import delivery_failed, delivery_recovered
from tasks_app.engine import PermanentError, get_task
from tasks_app.services.audit import record_all, subject_of_row
from tasks_app.tracing import span


class DeliveryBusy(Exception):
    """Another attempt is sending this delivery right now, or died doing so less than two minutes ago."""


class NotRetryable(Exception):
    """Only a delivery that failed can be tried again."""


def deliver(delivery_id: int, *, now: datetime) -> str:
    """Send a delivery; return its state: `sent`, or the present one where nothing is to be sent.

    An overdue delivery may be merged into a digest: then its state is `merged`.

    Raises DeliveryError when trying again may help, DeliveryBusy when someone else is at it, and PermanentError when
    the delivery failed for good or does not exist.
    """
    max_attempts = get_task("deliver_notification").retry_policy.max_attempts
    claim = claim_delivery(delivery_id, max_attempts=max_attempts, now=now, not_before=is_backlog_before(now))
    if claim is None:
        merge_backlog(delivery_id, now=now)
        claim = claim_delivery(delivery_id, max_attempts=max_attempts, now=now)
    if claim is None:
        return _settled_state(delivery_id, max_attempts=max_attempts, now=now)
    delivery = Delivery.objects.select_related(
        "notification__user__notification_preference", "notification__device", "notification__event", "destination"
    ).get(pk=delivery_id)
    # What the receiver reads of the delivery, in the log and of a channel that is off, is in their language, too.
    with translation.override(language_of(delivery.notification.user)):
        return _delivered(claim, delivery, now)


def _delivered(claim: Claim, delivery: Delivery, now: datetime) -> str:
    address = ""
    try:
        channel = _channel(delivery.channel)
        refuse_if_not_entitled(delivery, now=now)
        address = _address(delivery, channel)
        fill_bodies([delivery.notification])
        answer = _sent(channel, delivery, address)
    except DeliveryError as error:
        _record_failure(claim, delivery, error, address)
        raise
    _record_success(claim, delivery, answer, address)
    return DeliveryState.SENT.value


def _sent(channel: Channel, delivery: Delivery, address: str) -> str:
    """Send it, and return the receiver's answer. Raises DeliveryError."""
    began = time.monotonic()
    about = {"messaging.system": channel.kind, "messaging.message.id": str(delivery.pk)}
    try:
        with span(f"deliver {channel.kind}", "client", attributes=about):
            return channel.send(delivery, address)
    finally:
        SEND_SECONDS.observe([time.monotonic() - began], channel.kind)


def retry_delivery(delivery: Delivery) -> None:
    """Retry a failed delivery with a full set of attempts. Raises NotRetryable."""
    if not retry_deliveries([delivery.pk]):
        raise NotRetryable(NotRetryable.__doc__)


@transaction.atomic
def retry_deliveries(delivery_ids: Collection[int]) -> list[Delivery]:
    """Retry those of these deliveries that failed, with a full set of attempts; return them."""
    found = Delivery.objects.select_for_update().filter(pk__in=delivery_ids, state=DeliveryState.FAILED)
    failed = list(found.order_by("pk"))
    ids = [delivery.pk for delivery in failed]
    Delivery.objects.filter(pk__in=ids).update(state=DeliveryState.PENDING, attempts_forgiven=F("attempt_count"))
    record_all("retry", [(subject_of_row(delivery), {}) for delivery in failed])
    if ids:
        transaction.on_commit(lambda: enqueue_deliveries(ids))
    return failed


def _address(delivery: Delivery, channel: Channel) -> str:
    """The readable address of a delivery. Raises DeliveryError."""
    if not channel.has_destinations:
        return delivery.notification.on_behalf_to or channel.address_of(delivery.notification.user)
    destination = delivery.destination
    if destination is None:
        raise DeliveryError(_("The destination was removed."), permanent=True)
    if not destination.is_enabled and delivery.notification.kind != NotificationKind.TEST:
        raise DeliveryError(_("The destination is switched off."), permanent=True)
    return destination.address


def _channel(kind: str) -> Channel:
    if kind not in CHANNELS:
        raise DeliveryError(_("There is no channel %(kind)s.") % {"kind": kind}, permanent=True)
    return CHANNELS[kind]


def _record_success(claim: Claim, delivery: Delivery, answer: str, address: str) -> None:
    now = timezone.now()
    with transaction.atomic():
        is_ours = claim.finish(
            state=DeliveryState.SENT, outcome=AttemptOutcome.SENT, answer=answer, address=address, now=now
        )
        if delivery.attempts_forgiven and is_ours:
            delivery_recovered.send(sender=Delivery, delivery=delivery)
    DELIVERIES.add(1, delivery.channel, AttemptOutcome.SENT.value)
    if delivery.notification.kind == NotificationKind.TEST and delivery.destination is not None:
        record_test(delivery.destination, now=now)


def _record_failure(claim: Claim, delivery: Delivery, error: DeliveryError, address: str) -> None:
    """Store the reason; a final failure becomes a PermanentError, so that the job is not retried."""
    for_good, now = error.permanent or claim.is_last, timezone.now()
    outcome = AttemptOutcome.FAILED if for_good else AttemptOutcome.RETRY
    with transaction.atomic():
        is_ours = claim.finish(
            state=DeliveryState.FAILED if for_good else DeliveryState.PENDING,
            outcome=outcome,
            answer=str(error),
            address=address,
            now=now,
        )
        if error.disables:
            switch_off(delivery, reason=str(error), now=now)
        if for_good and is_ours:
            delivery_failed.send(sender=Delivery, delivery=delivery, reason=str(error))
    DELIVERIES.add(1, delivery.channel, outcome.value)
    if for_good:
        raise PermanentError(str(error)) from error


def _settled_state(delivery_id: int, *, max_attempts: int, now: datetime) -> str:
    reason = _("Every attempt was used up.")
    if _given_up(delivery_id, reason, max_attempts=max_attempts, now=now):
        raise PermanentError(reason)
    state = Delivery.objects.filter(pk=delivery_id).values_list("state", flat=True).first()
    if state is None:
        raise PermanentError(_("There is no delivery %(id)s.") % {"id": delivery_id})
    if state in (DeliveryState.PENDING, DeliveryState.SENDING):
        raise DeliveryBusy(_("Another attempt is sending this delivery."))
    return state


@transaction.atomic
def _given_up(delivery_id: int, reason: str, *, max_attempts: int, now: datetime) -> bool:
    if not give_up_delivery(delivery_id, max_attempts=max_attempts, reason=reason, now=now):
        return False
    delivery = Delivery.objects.select_related("notification__user").get(pk=delivery_id)
    delivery_failed.send(sender=Delivery, delivery=delivery, reason=delivery.last_error)
    return True
