"""The event outbox: rows written in the transaction of the events, matched with rules by a job of their own.

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

from notifications_app.matching.event_traits import traits_of
from notifications_app.models import EventDispatch
from notifications_app.queries.rules import wanted_kinds
from notifications_app.services.events.event_alerts import notify_of_events
from tasks_app.engine import QueueFull, QueueUnavailable, get_task
from tasks_app.models import Event

log = structlog.get_logger(__name__)

# Events of one job and transaction; other jobs run in between.
EVENTS_PER_OUTBOX_ROW = 1000
MAX_ROWS_PER_SWEEP = 1000
LEFT_BEHIND_AFTER = timedelta(minutes=1)


def write_outbox(events: Sequence[Event], *, now: datetime) -> None:
    """Write events to the outbox in the caller's transaction; jobs that match them follow its commit."""
    ids = [event.pk for event in events]
    chunks = [ids[start : start + EVENTS_PER_OUTBOX_ROW] for start in range(0, len(ids), EVENTS_PER_OUTBOX_ROW)]
    rows = EventDispatch.objects.bulk_create([EventDispatch(event_ids=chunk, created_at=now) for chunk in chunks])
    is_urgent = any(traits_of(event.kind).is_urgent for event in events)
    transaction.on_commit(
        partial(enqueue_outbox_rows, [row.pk for row in rows], priority="high" if is_urgent else "normal")
    )


def enqueue_outbox_rows(outbox_ids: Sequence[int], *, priority: str = "normal") -> int:
    """Enqueue a job for each row without a live one; return their number. Rows that a full queue refuses are swept later."""
    for done, outbox_id in enumerate(outbox_ids):
        try:
            get_task("dispatch_events").apply_async(
                (outbox_id,), unique_key=f"event-dispatch:{outbox_id}", priority=priority
            )
        except (QueueFull, QueueUnavailable) as error:
            log.warning("events_left_to_the_sweeper", first_outbox_id=outbox_id, reason=str(error))
            return done
    return len(outbox_ids)


def process_outbox_row(outbox_id: int, *, now: datetime, is_repeated: bool = False) -> dict[str, int]:
    """Match the events of one outbox row, write the results and delete the row, in one transaction.

    A row that is gone or locked by another job is left alone. One whose matching failed, or took longer than its job may, is
    divided when that is repeated: so it gets small enough, and an event that cannot be notified holds up no other.
    """
    with transaction.atomic():
        row = EventDispatch.objects.select_for_update(skip_locked=True).filter(pk=outbox_id).first()
        if row is None:
            return {"events": 0, "notifications": 0}
        if is_repeated and len(row.event_ids) > 1:
            _divide(row)
            return {"events": 0, "notifications": 0}
        # Kinds that no rule names are not read.
        wanted = Event.objects.filter(pk__in=row.event_ids, kind__in=wanted_kinds())
        events = list(wanted.order_by("occurred_at", "pk"))
        notified = notify_of_events(events, now=now, max_age=timedelta(minutes=settings.ALERT_MAX_AGE_MINUTES))
        row.delete()
    return {"events": len(row.event_ids), "notifications": len(notified)}


def _divide(row: EventDispatch) -> None:
    """Put two rows with half of the events each in place of a row."""
    middle = len(row.event_ids) // 2
    halves = [row.event_ids[:middle], row.event_ids[middle:]]
    rows = EventDispatch.objects.bulk_create(EventDispatch(event_ids=ids, created_at=row.created_at) for ids in halves)
    row.delete()
    transaction.on_commit(partial(enqueue_outbox_rows, [one.pk for one in rows]))


def sweep_event_outbox(*, now: datetime) -> int:
    """Enqueue abandoned outbox rows, the oldest first; return their number."""
    left = EventDispatch.objects.filter(created_at__lt=now - LEFT_BEHIND_AFTER).order_by("pk")
    return enqueue_outbox_rows(list(left.values_list("pk", flat=True)[:MAX_ROWS_PER_SWEEP]))
