"""Tasks of deliveries and of the retention of notifications."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from notifications_app.services import deliveries, events, notifications
from tasks_app.engine import task
from tasks_app.services.argument_bounds import Days, RowId, WindowSeconds


# 5 s doubling to an hour: over four hours of trying.
@task(queue="notifications", max_attempts=14, permission="notifications_app.change_delivery")
def deliver_notification(delivery_id: RowId) -> dict[str, str]:
    """Send one delivery through its channel."""
    return {"state": deliveries.deliver(delivery_id, now=timezone.now())}


@task(queue="notifications", schedulable=True)
def sweep_stuck_deliveries() -> dict[str, int]:
    """Enqueue abandoned deliveries and event outbox rows."""
    now = timezone.now()
    return {
        "enqueued": notifications.sweep_stuck_deliveries(now=now),
        "outbox_rows": events.sweep_event_outbox(now=now),
    }


@task(queue="cleanup", schedulable=True, permission="notifications_app.delete_notification")
def cleanup_notifications(
    days_to_keep: Days | None = None, dry_run: bool = False, max_seconds: WindowSeconds | None = None
) -> dict[str, Any]:
    """Remove notifications older than so many days with their deliveries, except unsent ones."""
    return notifications.remove_old_notifications(
        now=timezone.now(), days_to_keep=days_to_keep, dry_run=dry_run, max_seconds=max_seconds
    )
