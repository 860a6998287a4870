"""The check of the system itself."""

from __future__ import annotations

from django.utils import timezone

from notifications_app.services import system
from tasks_app.engine import task


# Not in the queue that sends the messages, so that it can report that queue as stuck.
@task(queue="cleanup", schedulable=True)
def check_system() -> dict[str, int]:
    """Notify administrators of queues that are behind, failing jobs, missing workers, a full disk, disabled schedules."""
    return system.check_system(now=timezone.now())
