"""Digests of held alerts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import transaction

from notifications_app.matching.delivery_times import digest_of, quiet_until
from notifications_app.messages.events import kind_label
from notifications_app.messages.kinds.digest import DigestLine, digest_message
from notifications_app.models import ChannelKind, HeldAlert, HoldReason, Notification
from notifications_app.queries.audience import person_of, read_people
from notifications_app.queries.targets import unsubscribed_alerts
from notifications_app.services.notifications import notify_with_message
from tasks_app.engine import current_job
from tasks_app.queries.access import visible_devices

MAX_PEOPLE_PER_RUN = 5000


def send_due_digests(*, now: datetime) -> int:
    """Send each person their due held alerts in one message for all that takes the same channels; return how many."""
    due = HeldAlert.objects.filter(due_at__lte=now).order_by("user_id").values_list("user_id", flat=True)
    sent = 0
    for user_id in due.distinct()[:MAX_PEOPLE_PER_RUN]:
        current_job().raise_if_cancelled()
        sent += _send_digest(user_id, now=now)
    return sent


def _send_digest(user_id: int, *, now: datetime) -> int:
    """Send one person's digests in one transaction, so that each is sent once."""
    with transaction.atomic():
        due = HeldAlert.objects.filter(user=user_id, due_at__lte=now).order_by("pk")
        rows = list(due.select_for_update(skip_locked=True, of=("self",)).select_related("device"))
        ours, people = HeldAlert.objects.filter(pk__in=[row.pk for row in rows]), read_people([user_id])
        if people and (until := quiet_until(person_of(people[0]), now)) is not None:
            # A job that read the former quiet hours or zone held these after they were changed.
            ours.update(due_at=until)
            return 0
        ours.delete()
        notified = _without_unsubscribed(_visible(_without_small_backlog(rows), people), user_id)
        return sum(_write_digest(channels, some, people, now) for channels, some in _by_channels(notified).items())


def _by_channels(rows: Iterable[HeldAlert]) -> dict[frozenset[str], list[HeldAlert]]:
    """The rows by the channels that they go through: those of a rule's digest stay its own, all others go together."""
    by_digest: defaultdict[str, list[HeldAlert]] = defaultdict(list)
    for row in rows:
        by_digest[digest_of(row.reason).key].append(row)
    together: defaultdict[frozenset[str], list[HeldAlert]] = defaultdict(list)
    for some in by_digest.values():
        together[frozenset[str]().union(*(row.channels for row in some))] += some
    return together


def _write_digest(
    channels: Collection[str], rows: Sequence[HeldAlert], people: Collection[AbstractUser], now: datetime
) -> int:
    key = f"digest:{min(row.pk for row in rows)}"
    message = digest_message(_lines(rows), at=now)
    new_ids = notify_with_message(message, people=people, dedupe_key=key, now=now, channels=channels)
    named = sorted({row.device_id for row in rows})
    Notification.objects.filter(pk__in=new_ids).update(named_device_ids=named)
    return len(new_ids)


def _without_small_backlog(rows: Sequence[HeldAlert]) -> list[HeldAlert]:
    """Leave out late events unless there are as many as after an outage."""
    late = [row for row in rows if row.reason == HoldReason.BACKLOG]
    if settings.ALERT_BACKLOG_EVENTS and sum(row.event_count for row in late) >= settings.ALERT_BACKLOG_EVENTS:
        return list(rows)
    return [row for row in rows if row.reason != HoldReason.BACKLOG]


def _visible(rows: Sequence[HeldAlert], people: Sequence[AbstractUser]) -> list[HeldAlert]:
    """Leave out devices that the person may no longer see."""
    devices = visible_devices(people[0]).filter(pk__in={row.device_id for row in rows}) if people else None
    seen = set(devices.values_list("pk", flat=True)) if devices is not None else set()
    return [row for row in rows if row.device_id in seen]


def _without_unsubscribed(rows: Sequence[HeldAlert], user_id: int) -> list[HeldAlert]:
    """Leave out e-mails of rules that the person unsubscribed from meanwhile, and what is left no channel by that."""
    is_unsubscribed = unsubscribed_alerts(user_id, {row.device.fleet_id for row in rows})
    kept = []
    for row in rows:
        if ChannelKind.EMAIL in row.channels and is_unsubscribed(row.device.fleet_id, row.kind):
            row.channels = [channel for channel in row.channels if channel != ChannelKind.EMAIL]
            if not row.channels:
                continue
        kept.append(row)
    return kept


def _lines(rows: Sequence[HeldAlert]) -> list[DigestLine]:
    """One line per device and kind, over all reasons."""
    together: defaultdict[tuple[int, str], list[HeldAlert]] = defaultdict(list)
    for row in rows:
        together[row.device_id, row.kind].append(row)
    return [
        DigestLine(
            vehicle=same[0].device.name,
            what=kind_label(kind),
            count=sum(row.event_count for row in same),
            last_at=max(row.last_at for row in same),
        )
        for (_device, kind), same in together.items()
    ]
