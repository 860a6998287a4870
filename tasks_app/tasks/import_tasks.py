"""Tasks about files of positions.

They are on the queue of reports: a file takes minutes, which would hold live positions up on their own queue, and someone
waits for it, as for a report, which the nightly work of the clean-up queue would hold up for an hour.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from tasks_app.engine import task
from tasks_app.services.argument_bounds import RowId
from tasks_app.services.intake import import_upload, sweep_stuck_uploads


@task(queue="reports", timeout_seconds=3600, permission="tasks_app.add_position", needs_operate=False)
def import_positions_file(upload_id: RowId) -> dict[str, Any]:
    """Store the positions of an uploaded file."""
    return import_upload(upload_id=upload_id, now=timezone.now())


@task(queue="reports", schedulable=True)
def sweep_stuck_imports() -> dict[str, int]:
    """Enqueue uploads whose job is gone, and end those whose job failed."""
    return sweep_stuck_uploads(now=timezone.now())
