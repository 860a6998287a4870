"""The claim on a delivery: one sender at a time; the claim of a dead sender expires.

Every claim writes its attempt's row in the same transaction, so that the log of attempts has also those that died.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Case, F, Q, TextField, Value, When

from notifications_app.models import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryState
from notifications_app.services.notifications import LEASE
from tasks_app.engine import current_request_id


@dataclass(frozen=True, slots=True)
class Claim:
    """Our claim on a delivery. It is lost as soon as another attempt has claimed it: then `finish` changes only the log."""

    delivery_id: int
    attempt: int
    is_last: bool

    def finish(
        self, *, state: DeliveryState, outcome: AttemptOutcome, answer: str, address: str, now: datetime
    ) -> bool:
        """Store the result of the attempt; return False if the claim was lost meanwhile."""
        values: dict[str, object] = {"state": state, "last_error": "" if state == DeliveryState.SENT else answer}
        if address:
            values["address"] = address
        if state == DeliveryState.SENT:
            values["sent_at"] = now
        with transaction.atomic():
            ours = Delivery.objects.filter(pk=self.delivery_id, state=DeliveryState.SENDING, attempt_count=self.attempt)
            changed = bool(ours.update(**values))
            attempt = DeliveryAttempt.objects.filter(delivery=self.delivery_id, number=self.attempt)
            attempt.update(outcome=outcome, answer=answer, address=address, finished_at=now)
        return changed


def claim_delivery(
    delivery_id: int, *, max_attempts: int, now: datetime, not_before: datetime | None = None
) -> Claim | None:
    """Claim a pending delivery, or one whose sender died, with attempts left; None if it cannot be claimed.

    With `not_before` only one that was written since.
    """
    limit = F("attempts_forgiven") + max_attempts
    with transaction.atomic():
        free = Delivery.objects.filter(_free(now), pk=delivery_id, attempt_count__lt=limit)
        claimed = (free.filter(created_at__gte=not_before) if not_before else free).update(
            state=DeliveryState.SENDING, attempt_count=F("attempt_count") + 1, claimed_at=now
        )
        if not claimed:
            return None
        # The row stays locked until the commit, so this reads our own attempt.
        number, forgiven = Delivery.objects.values_list("attempt_count", "attempts_forgiven").get(pk=delivery_id)
        DeliveryAttempt.objects.create(
            delivery_id=delivery_id, number=number, started_at=now, request_id=current_request_id()
        )
    return Claim(delivery_id, number, is_last=number >= forgiven + max_attempts)


def give_up_delivery(delivery_id: int, *, max_attempts: int, reason: str, now: datetime) -> bool:
    """Mark a free delivery without attempts left as failed, with the last answer; return False if it is not one."""
    limit = F("attempts_forgiven") + max_attempts
    spent = Delivery.objects.filter(_free(now), pk=delivery_id, attempt_count__gte=limit)
    answer = Case(When(last_error="", then=Value(reason, output_field=TextField())), default=F("last_error"))
    return bool(spent.update(state=DeliveryState.FAILED, last_error=answer))


def _free(now: datetime) -> Q:
    return Q(state=DeliveryState.PENDING) | Q(state=DeliveryState.SENDING, claimed_at__lt=now - LEASE)
