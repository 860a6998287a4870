"""Events on their way to the rules: noted in the transaction that wrote them, asked about in a job of their own.

So neither many rules nor a broken template can hold up positions, and a process killed in between loses nothing: the row is
there until what follows from it is written, and the sweeper finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.conf import settings
from django.db import transaction

from notifications_app.matching.decisions import URGENT_KINDS
from notifications_app.models import EventDispatch
from notifications_app.queries.rules import wanted_kinds
from notifications_app.services.events.event_alerts import notify_of_events
from tasks_app.engine import QueueFull, QueueUnavailable, get_task
from tasks_app.models import Event

log = structlog.get_logger(__name__)

# So many events are one job, and one transaction: others get their turn in between.
EVENTS_PER_DISPATCH = 1000
MAX_DISPATCHES_PER_SWEEP = 1000
LEFT_BEHIND_AFTER = timedelta(minutes=1)


def note_events(events: Sequence[Event], *, now: datetime) -> None:
    """Note events for the rules in the caller's transaction; jobs that ask the rules follow its commit."""
    ids = [event.pk for event in events]
    chunks = [ids[start : start + EVENTS_PER_DISPATCH] for start in range(0, len(ids), EVENTS_PER_DISPATCH)]
    rows = EventDispatch.objects.bulk_create([EventDispatch(event_ids=chunk, created_at=now) for chunk in chunks])
    is_urgent = any(event.kind in URGENT_KINDS for event in events)
    transaction.on_commit(
        partial(enqueue_dispatches, [row.pk for row in rows], priority="high" if is_urgent else "normal")
    )


def enqueue_dispatches(dispatch_ids: Sequence[int], *, priority: str = "normal") -> int:
    """Enqueue a job for each that has none alive; return how many. Where the queue takes no more, the sweeper does it."""
    for done, dispatch_id in enumerate(dispatch_ids):
        try:
            get_task("dispatch_events").apply_async(
                (dispatch_id,), unique_key=f"event-dispatch:{dispatch_id}", priority=priority
            )
        except (QueueFull, QueueUnavailable) as error:
            log.warning("events_left_to_the_sweeper", first_dispatch_id=dispatch_id, reason=str(error))
            return done
    return len(dispatch_ids)


def dispatch(dispatch_id: int, *, now: datetime) -> dict[str, int]:
    """Ask the rules about the events of one dispatch, write what follows, and remove it: all, or nothing of it.

    One that is gone, or that somebody else is at, is left alone.
    """
    with transaction.atomic():
        row = EventDispatch.objects.select_for_update(skip_locked=True).filter(pk=dispatch_id).first()
        if row is None:
            return {"events": 0, "notifications": 0}
        # Most of what happens nobody wants to hear of: that is not even read.
        wanted = Event.objects.filter(pk__in=row.event_ids, kind__in=wanted_kinds())
        events = list(wanted.order_by("occurred_at", "pk"))
        told = notify_of_events(events, now=now, max_age=timedelta(minutes=settings.ALERT_MAX_AGE_MINUTES))
        row.delete()
    return {"events": len(row.event_ids), "notifications": len(told)}


def sweep_dispatches(*, now: datetime) -> int:
    """Enqueue dispatches that were left behind, the oldest first; return how many."""
    left = EventDispatch.objects.filter(created_at__lt=now - LEFT_BEHIND_AFTER).order_by("pk")
    return enqueue_dispatches(list(left.values_list("pk", flat=True)[:MAX_DISPATCHES_PER_SWEEP]))
