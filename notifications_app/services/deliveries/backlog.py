"""Merging of deliveries after an outage of a mail server or of the workers: one digest per person and target."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from notifications_app.matching.event_traits import urgent_kinds
from notifications_app.messages.events import kind_label
from notifications_app.messages.kinds.digest import DigestLine, digest_message
from notifications_app.messages.rendering import Rendered
from notifications_app.models import (
    ChannelKind,
    Delivery,
    DeliveryState,
    EmailOptOut,
    Notification,
    NotificationKind,
)
from notifications_app.models.kinds import MESSAGE_KINDS
from notifications_app.queries.audience import preferences_of, read_people, recipient_of
from notifications_app.queries.digest_contents import merged_counts
from notifications_app.queries.targets import read_targets
from notifications_app.services.deliveries.metrics import DELIVERIES
from notifications_app.services.inbox import note_change
from notifications_app.services.notifications import Draft, enqueue_deliveries, write_notifications
from notifications_app.services.texts import render_message
from tasks_app.queries.access import visible_devices

# Bounds the work of one call; the rest is merged by the next delivery.
MAX_PER_MERGE = 10_000


def is_backlog_before(now: datetime) -> datetime:
    """The time before which notifications count as backlog, by the limit for events."""
    return now - timedelta(minutes=settings.ALERT_MAX_AGE_MINUTES)


def merge_backlog(delivery_id: int, *, now: datetime) -> int:
    """Merge the overdue deliveries of this delivery's person and target into one digest; return their number.

    Fewer than ALERT_BACKLOG_EVENTS stay as they are, unless a digest is pending already, which they join. Alarms and
    messages that are not about a vehicle stay, too. All in one transaction: only unclaimed deliveries are merged, and a
    concurrent call waits for the first and finds none left.
    """
    with transaction.atomic():
        one = (
            Delivery.objects.select_related("notification").filter(pk=delivery_id, state=DeliveryState.PENDING).first()
        )
        people = read_people([one.notification.user_id]) if one and _may_be_merged(one) else []
        if one is None or not people:
            return 0
        overdue = list(_overdue(one, people[0], now).values_list("pk", flat=True))
        digest = _pending_digest(one)
        if not overdue or (digest is None and len(overdue) < settings.ALERT_BACKLOG_EVENTS):
            return 0
        digest = digest or _written(one, overdue[0], now)
        if digest is None:
            return 0
        merged = Delivery.objects.filter(pk__in=overdue).update(state=DeliveryState.MERGED, merged_into=digest)
        put_into_words(digest, people[0], now)
    DELIVERIES.add(merged, one.channel, DeliveryState.MERGED.value)
    return merged


def _may_be_merged(delivery: Delivery) -> bool:
    return not delivery.notification.on_behalf_to and settings.ALERT_BACKLOG_EVENTS > 0


def _overdue(one: Delivery, person: AbstractUser, now: datetime) -> QuerySet[Delivery]:
    """The overdue deliveries about vehicles that the person may see, locked in one order."""
    found = _same_target(one).filter(
        created_at__lt=is_backlog_before(now),
        notification__on_behalf_to="",
        notification__device__in=visible_devices(person).order_by().values("pk"),
    )
    if one.channel == ChannelKind.EMAIL:
        # Each of these is refused by itself.
        left = EmailOptOut.objects.filter(user=person.pk)
        found = found.exclude(notification__rule__in=left.filter(rule__isnull=False).values("rule"))
        found = found.exclude(notification__kind__in=left.filter(rule__isnull=True).values("kind"))
    rest = found.exclude(notification__kind__in=urgent_kinds()).order_by("pk")
    return rest.select_for_update(of=("self",))[:MAX_PER_MERGE]


def _pending_digest(one: Delivery) -> Delivery | None:
    merged = Delivery.objects.filter(merged_into=OuterRef("pk"))
    return _same_target(one).filter(Exists(merged)).select_for_update(of=("self",)).first()


def _same_target(one: Delivery) -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        notification__user=one.notification.user_id,
        channel=one.channel,
        destination=one.destination_id,
        state=DeliveryState.PENDING,
    )


def _written(one: Delivery, first_id: int, now: datetime) -> Delivery | None:
    """Create a digest for the target of its parts; None where the person unsubscribed from digests."""
    draft = Draft(
        user_id=one.notification.user_id,
        kind=NotificationKind.DIGEST,
        dedupe_key=f"merged:{first_id}",
        rendered=Rendered("", "", ""),
        channels=frozenset({one.channel}),
    )
    if (one.channel, one.destination_id) not in set(read_targets([(draft.user_id, draft.channels)]).of(draft)):
        return None
    (pk,) = write_notifications([replace(draft, channels=frozenset())], now=now)
    # The inbox has the merged notifications already.
    Notification.objects.filter(pk=pk).update(read_at=now)
    digest = Delivery.objects.create(notification_id=pk, channel=one.channel, destination_id=one.destination_id)
    transaction.on_commit(partial(enqueue_deliveries, [digest.pk]))
    return digest


def put_into_words(digest: Delivery, person: AbstractUser, now: datetime) -> None:
    """Render the digest of all merged deliveries, one line per vehicle and kind."""
    lines = [DigestLine(one.vehicle, _label(one.kind), one.count, one.last_at) for one in merged_counts(digest)]
    recipient = recipient_of(preferences_of([person])[person.pk], settings.TIME_ZONE)
    rendered = render_message(digest_message(lines, at=now), recipient)
    notification = Notification.objects.filter(pk=digest.notification_id)
    notification.update(subject=rendered.subject, body_text=rendered.text, body_html=rendered.html)
    note_change({person.pk})


def _label(kind: str) -> Any:
    """The label of an event's kind or, where the event is gone, of the notification's kind."""
    return MESSAGE_KINDS[kind].label if kind in MESSAGE_KINDS else kind_label(kind)
