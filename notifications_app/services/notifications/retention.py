"""Retention of notifications, and with them of their deliveries and attempts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from notifications_app.models import Delivery, DeliveryState, Notification
from notifications_app.services.inbox import note_change
from tasks_app.queries.retention import days_to_keep as days_from_settings
from tasks_app.services.cleanup import Run, cutoff, delete_in_batches, run_exclusively


def remove_old_notifications(
    *, now: datetime, days_to_keep: int | None = None, dry_run: bool = False, max_seconds: float | None = None
) -> dict[str, Any]:
    """Remove notifications written more than `days_to_keep` days ago, except those that are still being sent.

    Returns the figures of the run. Raises InvalidLimit, JobCancelled.
    """
    before = cutoff(now, days_from_settings("notifications") if days_to_keep is None else days_to_keep)
    unsent = Delivery.objects.filter(state__in=[DeliveryState.PENDING, DeliveryState.SENDING], created_at__lt=before)
    old = Notification.objects.filter(created_at__lt=before).exclude(pk__in=unsent.values("notification_id"))

    def work(run: Run) -> dict[str, Any]:
        people = set() if dry_run else set(old.order_by().values_list("user_id", flat=True).distinct())
        try:
            delete_in_batches(old, run)
        finally:
            with transaction.atomic():
                note_change(people)
        return {}

    return run_exclusively("old_notifications", work, dry_run=dry_run, max_seconds=max_seconds)
