"""What an outage of a mail server or of the workers left unsent: one digest per person and way instead of all of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from notifications_app.channels.registry import CHANNELS
from notifications_app.matching import URGENT_KINDS
from notifications_app.messages import DigestLine, digest_message, kind_label
from notifications_app.models import Delivery, DeliveryState, Notification, NotificationKind
from notifications_app.queries.audience import read_people, reader_of, readers_of
from notifications_app.queries.ways import read_ways
from notifications_app.rendering import Rendered
from notifications_app.services.dispatch import enqueue_deliveries
from notifications_app.services.outbox import Draft, write_notifications
from notifications_app.services.recent import note_change
from notifications_app.services.wording import render
from tasks_app.queries.access import visible_devices

# Bounded work for one person; what is left is merged by the next of it.
MAX_PER_MERGE = 10_000


def is_backlog_before(now: datetime) -> datetime:
    """What was written before is not news any more, as with events."""
    return now - timedelta(minutes=settings.ALERT_MAX_AGE_MINUTES)


def merge_backlog(delivery_id: int, *, now: datetime) -> int:
    """Gather what waits too long for the person of this delivery, the same way, into one digest; return how many.

    Fewer than ALERT_BACKLOG_EVENTS stay as they are, unless a digest waits already: it takes them in. Alarms, and what is
    not about a vehicle, stay, too. All in one transaction; merged is only what nobody has claimed, and whoever comes
    second waits for the first and finds nothing left.
    """
    with transaction.atomic():
        one = (
            Delivery.objects.select_related("notification").filter(pk=delivery_id, state=DeliveryState.PENDING).first()
        )
        people = read_people([one.notification.user_id]) if one and _may_be_merged(one) else []
        if one is None or not people:
            return 0
        rows = list(_waiting(one, people[0], now))
        digest = _waiting_digest(one)
        if not rows or (digest is None and len(rows) < settings.ALERT_BACKLOG_EVENTS):
            return 0
        before = list(_about(digest.merged.all())) if digest else []
        rendered = _rendered([*before, *rows], people[0], now)
        digest = _rewritten(digest, rendered) if digest else _written(rows, rendered, now)
        if digest is None:
            return 0
        free = Delivery.objects.filter(pk__in=[row.pk for row in rows], state=DeliveryState.PENDING)
        return free.update(state=DeliveryState.MERGED, merged_into=digest)


def _may_be_merged(delivery: Delivery) -> bool:
    is_known = delivery.channel in CHANNELS and CHANNELS[delivery.channel].merges_backlog
    return is_known and not delivery.notification.on_behalf_to and settings.ALERT_BACKLOG_EVENTS > 0


def _waiting(one: Delivery, person: AbstractUser, now: datetime) -> QuerySet[Delivery]:
    """Old news of vehicles the person still may see, locked in one order."""
    found = _same_way(one).filter(
        created_at__lt=is_backlog_before(now),
        notification__on_behalf_to="",
        notification__device__in=visible_devices(person).order_by().values("pk"),
    )
    urgent = found.filter(notification__kind__in=URGENT_KINDS)
    return _about(found.exclude(pk__in=urgent.values("pk"))).select_for_update(of=("self",))[:MAX_PER_MERGE]


def _waiting_digest(one: Delivery) -> Delivery | None:
    merged = Delivery.objects.filter(merged_into=OuterRef("pk"))
    return _same_way(one).filter(Exists(merged)).select_for_update(of=("self",)).first()


def _same_way(one: Delivery) -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        notification__user=one.notification.user_id,
        channel=one.channel,
        destination=one.destination_id,
        state=DeliveryState.PENDING,
    )


def _about(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return deliveries.select_related("notification__device", "notification__event").order_by("pk")


def _rendered(rows: Sequence[Delivery], person: AbstractUser, now: datetime) -> Rendered:
    reader = reader_of(readers_of([person])[person.pk], settings.TIME_ZONE)
    return render(digest_message(_lines([row.notification for row in rows]), at=now), reader)


def _lines(told: Sequence[Notification]) -> list[DigestLine]:
    """One line per vehicle and kind."""
    together: defaultdict[tuple[int | None, str], list[Notification]] = defaultdict(list)
    for one in told:
        together[one.device_id, one.event.kind if one.event else one.kind].append(one)
    return [
        DigestLine(
            vehicle=same[0].device.name if same[0].device else "",
            what=kind_label(kind) if same[0].event else NotificationKind(kind).label,
            count=len(same),
            last_at=max(one.event.occurred_at if one.event else one.created_at for one in same),
        )
        for (_device, kind), same in together.items()
    ]


def _rewritten(digest: Delivery, rendered: Rendered) -> Delivery:
    news = Notification.objects.filter(pk=digest.notification_id)
    news.update(subject=rendered.subject, body_text=rendered.text, body_html=rendered.html)
    note_change({digest.notification.user_id})
    return digest


def _written(rows: Sequence[Delivery], rendered: Rendered, now: datetime) -> Delivery | None:
    """A digest by the way its parts would have gone; None where the person wants no digests there."""
    first = rows[0]
    draft = Draft(
        user_id=first.notification.user_id,
        kind=NotificationKind.DIGEST.value,
        dedupe_key=f"merged:{first.pk}",
        rendered=rendered,
        channels=frozenset({first.channel}),
    )
    if (first.channel, first.destination_id) not in set(read_ways([(draft.user_id, draft.channels)]).of(draft)):
        return None
    (pk,) = write_notifications([replace(draft, channels=frozenset())], now=now)
    # In the application all of it has been told one by one.
    Notification.objects.filter(pk=pk).update(read_at=now)
    digest = Delivery.objects.create(notification_id=pk, channel=first.channel, destination_id=first.destination_id)
    transaction.on_commit(partial(enqueue_deliveries, [digest.pk]))
    return digest
