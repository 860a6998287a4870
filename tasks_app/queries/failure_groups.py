"""Reads about what fails: failed jobs grouped by task and class of error."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count

from tasks_app.engine import JobState
from tasks_app.models import Job

# Of more failures than these, the older ones are not counted.
MAX_FAILURES = 5_000
MAX_GROUPS = 8


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed jobs of one task with one class of error; the newest of them stands for all."""

    task: str
    error_class: str
    count: int
    newest_id: UUID
    newest_at: datetime
    message: str


def failure_groups(*, now: datetime, hours: int = 24) -> list[FailureGroup]:
    """Return the groups of the last hours, the one that failed last first, at most MAX_GROUPS."""
    newest = Job.objects.filter(state=JobState.FAILED, finished_at__gte=now - timedelta(hours=hours))
    failures = Job.objects.filter(pk__in=newest.order_by("-finished_at").values("pk")[:MAX_FAILURES])
    counts = {
        (row["task"], row["error_class"]): row["count"]
        for row in failures.order_by().values("task", "error_class").annotate(count=Count("pk"))
    }
    last = failures.order_by("task", "error_class", "-finished_at").distinct("task", "error_class")
    groups = [
        FailureGroup(
            task=job.task,
            error_class=job.error_class,
            count=counts.get((job.task, job.error_class), 1),
            newest_id=job.pk,
            newest_at=job.finished_at,
            message=job.error_message,
        )
        for job in last.only("pk", "task", "error_class", "error_message", "finished_at")
    ]
    return sorted(groups, key=lambda group: group.newest_at, reverse=True)[:MAX_GROUPS]
