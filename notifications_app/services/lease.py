"""The claim on a delivery: one sender at a time, and a sender that died blocks nobody for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, F, Q, TextField, Value, When

from notifications_app.models import Delivery, DeliveryState

# Longer than the time limit of the task: whoever claimed before that cannot be sending any more.
LEASE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Claim:
    """Our claim on a delivery. It is lost as soon as another attempt has claimed it: then `release` changes nothing."""

    delivery_id: int
    attempt: int

    def release(self, **fields: object) -> bool:
        """Write the outcome; False if the claim was lost meanwhile."""
        ours = Delivery.objects.filter(pk=self.delivery_id, state=DeliveryState.SENDING, attempt_count=self.attempt)
        return bool(ours.update(**fields))


def claim_delivery(delivery_id: int, *, max_attempts: int, now: datetime) -> Claim | None:
    """Claim a delivery that waits, or whose sender died, with attempts left; None where there is nothing to claim."""
    free = Q(state=DeliveryState.PENDING) | Q(state=DeliveryState.SENDING, claimed_at__lt=now - LEASE)
    claimed = Delivery.objects.filter(free, pk=delivery_id, attempt_count__lt=max_attempts).update(
        state=DeliveryState.SENDING, attempt_count=F("attempt_count") + 1, claimed_at=now
    )
    if not claimed:
        return None
    # Nobody else can claim within the lease, so this reads our own attempt.
    return Claim(delivery_id, Delivery.objects.values_list("attempt_count", flat=True).get(pk=delivery_id))


def give_up_delivery(delivery_id: int, *, max_attempts: int, reason: str, now: datetime) -> bool:
    """Mark a free delivery without attempts left as failed; False if it is not one. Keeps the last server's answer."""
    free = Q(state=DeliveryState.PENDING) | Q(state=DeliveryState.SENDING, claimed_at__lt=now - LEASE)
    spent = Delivery.objects.filter(free, pk=delivery_id, attempt_count__gte=max_attempts)
    answer = Case(When(last_error="", then=Value(reason, output_field=TextField())), default=F("last_error"))
    return bool(spent.update(state=DeliveryState.FAILED, last_error=answer))
