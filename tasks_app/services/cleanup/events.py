"""Retention of events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tasks_app.models import DeviceState, Event
from tasks_app.services.cleanup.runs import cutoff, delete_in_batches, run_exclusively


def remove_old_events(*, days_to_keep: int, now: datetime, dry_run: bool = False) -> dict[str, Any]:
    """Remove events that happened more than `days_to_keep` days ago, except an overspeed that still goes on.

    Returns rows and seconds. Raises InvalidLimit, JobCancelled.
    """
    before = cutoff(now, days_to_keep)
    open_ids = DeviceState.objects.filter(overspeed_event_id__isnull=False).values("overspeed_event_id")
    old = Event.objects.filter(occurred_at__lt=before).exclude(pk__in=open_ids)

    def work() -> dict[str, Any]:
        return {"dry_run": dry_run, "rows": delete_in_batches(old, order_by="occurred_at", dry_run=dry_run)}

    return run_exclusively("old_events", work)
