"""Retention of events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tasks_app.models import DeviceState, Event
from tasks_app.queries.retention import days_to_keep as days_from_settings
from tasks_app.services.cleanup.runs import Run, cutoff, delete_in_batches, run_exclusively


def remove_old_events(
    *, now: datetime, days_to_keep: int | None = None, dry_run: bool = False, max_seconds: float | None = None
) -> dict[str, Any]:
    """Remove events that happened more than `days_to_keep` days ago, except an overspeed that still goes on.

    Returns the figures of the run. Raises InvalidLimit, JobCancelled.
    """
    before = cutoff(now, days_from_settings("events") if days_to_keep is None else days_to_keep)
    open_ids = DeviceState.objects.filter(overspeed_event_id__isnull=False).values("overspeed_event_id")
    old = Event.objects.filter(occurred_at__lt=before).exclude(pk__in=open_ids)

    def work(run: Run) -> dict[str, Any]:
        delete_in_batches(old, run, order_by="occurred_at")
        return {}

    return run_exclusively("old_events", work, dry_run=dry_run, max_seconds=max_seconds)
