"""Changed times of a person (quiet hours, digests, the time zone): what waits for them is moved."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models.functions import Collate

from notifications_app.matching.decisions import gathered_at
from notifications_app.matching.delivery_times import Person, digest_due_again, digest_of, quiet_until
from notifications_app.models import Delivery, DeliveryState, HeldAlert, HoldReason
from notifications_app.queries.audience import person_of, read_people

# The order in which jobs that hold alerts write them, by the bytes of the texts: two writers wait instead of deadlocking.
_LOCKING_ORDER = ("device_id", Collate("kind", "C"), Collate("reason", "C"))


def move_what_waits(user_id: int, *, now: datetime) -> None:
    """Move the messages and alerts that are held for this person to the times that they would be held until now."""
    people = read_people([user_id])
    if not people:
        return
    person = person_of(people[0])
    held = Delivery.objects.filter(notification__user=user_id, state=DeliveryState.PENDING, hold_until__gt=now)
    held.update(hold_until=quiet_until(person, now) or now)
    with transaction.atomic():
        rows = HeldAlert.objects.filter(user=user_id, due_at__gt=now).order_by(*_LOCKING_ORDER)
        alerts = list(rows.select_for_update(of=("self",)))
        for alert in alerts:
            alert.due_at = _due_at(alert, person, now)
        HeldAlert.objects.bulk_update(alerts, ["due_at"])


def _due_at(alert: HeldAlert, person: Person, now: datetime) -> datetime:
    if alert.reason in (HoldReason.BACKLOG, HoldReason.FLOOD):
        return min(alert.due_at, gathered_at(person, now))
    if alert.reason == HoldReason.QUIET_HOURS:
        return quiet_until(person, now) or now
    digest = person.digest if alert.reason == HoldReason.DIGEST else digest_of(alert.reason)
    return digest_due_again(digest, person, first_at=alert.first_at, now=now)
