"""Tasks that keep roll-ups up to date. They use the cleanup queue: no user waits for them."""

from __future__ import annotations

from django.utils import timezone

from tasks_app.engine import task
from tasks_app.services.devices import refresh_due_days


@task(queue="cleanup", schedulable=True)
def update_device_days() -> dict[str, int]:
    """Compute the roll-ups of days that got new fixes; at most 500 days, the others next time."""
    return refresh_due_days(now=timezone.now())
