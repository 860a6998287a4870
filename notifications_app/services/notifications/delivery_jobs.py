"""Delivery jobs: at most one live job per delivery."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import uuid4

import structlog
from django.db.models import F, Q

from notifications_app.models import Delivery, DeliveryState
from tasks_app.engine import QueueFull, QueueUnavailable, get_task

log = structlog.get_logger(__name__)

# Longer than the time limit of the task: a sender that claimed a delivery before that cannot be sending any more.
LEASE = timedelta(minutes=2)
MAX_DELIVERIES_PER_SWEEP = 20_000
DELIVERIES_PER_CALL = 500


def enqueue_deliveries(delivery_ids: Iterable[int]) -> int:
    """Enqueue a job for each of these deliveries without a live one; return their number.

    Where the queue takes no more, the rest is left to the sweeper: the rows are safe.
    """
    ids = list(delivery_ids)
    enqueued = 0
    for start in range(0, len(ids), DELIVERIES_PER_CALL):
        chunk = ids[start : start + DELIVERIES_PER_CALL]
        try:
            enqueued += _enqueue(chunk)
        except (QueueFull, QueueUnavailable) as error:
            log.warning("deliveries_left_to_the_sweeper", first_delivery_id=chunk[0], reason=str(error))
            break
    return enqueued


def sweep_stuck_deliveries(*, now: datetime) -> int:
    """Enqueue deliveries without a sender for two minutes, or whose hold ended; return their number.

    None that has a living job, or is still held back.
    """
    cutoff = now - LEASE
    pending = Q(state=DeliveryState.PENDING, created_at__lt=cutoff) & (
        Q(claimed_at__isnull=True) | Q(claimed_at__lt=cutoff)
    )
    is_due = Q(hold_until__isnull=True) | Q(hold_until__lte=now)
    abandoned = Q(state=DeliveryState.SENDING, claimed_at__lt=cutoff)
    stuck = Delivery.objects.filter((pending & is_due) | abandoned).order_by(
        F("claimed_at").asc(nulls_first=True), "pk"
    )
    return enqueue_deliveries(list(stuck.values_list("pk", flat=True)[:MAX_DELIVERIES_PER_SWEEP]))


def _enqueue(delivery_ids: list[int]) -> int:
    """Enqueue jobs for these; return the number of those without a live job."""
    job_ids = [uuid4() for _ in delivery_ids]
    holders = get_task("deliver_notification").enqueue_many(
        [(delivery_id,) for delivery_id in delivery_ids],
        job_ids=job_ids,
        unique_keys=[f"delivery:{delivery_id}" for delivery_id in delivery_ids],
    )
    return len(set(holders) & set(job_ids))
