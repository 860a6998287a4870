"""Figures of queues over the last hour, at a bounded cost: the engine's own counters, and the newest rows of each task."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, F
from django.db.models.functions import TruncMinute

from tasks_app.engine import JobState, registered_tasks
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.live import finished_per_minute
from tasks_app.models import Job

MINUTES = 60
# Waits and run times are those of so many jobs of each task.
NEWEST_OF_EACH_TASK = 500
# Failures beyond so many in an hour are not counted by the minute.
MAX_FAILURES = 20_000

# One look into an index for each task, of which so many entries are read; grouped by queue, and by queue and task.
_QUANTILES = """
    SELECT j.queue, j.task, count(*), count(*) FILTER (WHERE j.state = 'failed'),
           percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY j.wait_seconds),
           percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY j.run_seconds)
    FROM unnest(%s::text[]) AS t(task) CROSS JOIN LATERAL (
        SELECT queue, task, state, wait_seconds, run_seconds FROM tasks_app_job
        WHERE task = t.task AND finished_at >= %s ORDER BY finished_at DESC LIMIT %s
    ) j
    GROUP BY GROUPING SETS ((j.queue), (j.queue, j.task))
"""


@dataclass(slots=True)
class Sample:
    """The newest jobs of the last hour: how many were looked at and failed, their waits and run times (p50, p95, p99)."""

    jobs: int = 0
    failed: int = 0
    wait_seconds: list[float | None] = field(default_factory=lambda: [None] * 3)
    run_seconds: list[float | None] = field(default_factory=lambda: [None] * 3)


@dataclass(slots=True)
class QueueFigures:
    """A queue's last hour: per minute, oldest first, how many jobs its workers finished and how many failed; waits and runs."""

    finished: list[int]
    failed: list[int]
    sample: Sample
    tasks: dict[str, Sample]


def ended_per_minute(*, now: datetime) -> tuple[list[int], list[int]]:
    """Return for each minute of the last hour how many jobs of all queues were finished and failed. Raises RedisError."""
    minutes, finished, failed = _minutes(now), finished_per_minute(client()), _failed_per_minute(now)
    return (
        [sum(counts.get(minute, 0) for counts in finished.values()) for minute in minutes],
        [sum(counts.get(minute, 0) for counts in failed.values()) for minute in minutes],
    )


def _minutes(now: datetime) -> range:
    last_minute = int(now.timestamp()) // 60
    return range(last_minute - MINUTES + 1, last_minute + 1)


def queue_figures(*, now: datetime) -> dict[str, QueueFigures]:
    """Return the figures of every queue. Raises RedisError."""
    minutes = _minutes(now)
    finished, failed = finished_per_minute(client()), _failed_per_minute(now)
    samples = _samples(now)
    return {
        name: QueueFigures(
            finished=[finished[name].get(minute, 0) for minute in minutes],
            failed=[failed[name].get(minute, 0) for minute in minutes],
            sample=samples.get((name, None), Sample()),
            tasks={task: sample for (queue, task), sample in samples.items() if queue == name and task},
        )
        for name in engine_config().queues
    }


def _failed_per_minute(now: datetime) -> dict[str, dict[int, int]]:
    since = now - timedelta(minutes=MINUTES)
    newest = Job.objects.filter(state=JobState.FAILED, finished_at__gte=since).order_by("-finished_at")[:MAX_FAILURES]
    rows = (
        Job.objects.filter(pk__in=newest.values("pk"))
        .annotate(minute=TruncMinute(F("finished_at")))
        .values("queue", "minute")
        .annotate(count=Count("pk"))
        .order_by()
    )
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for row in rows:
        found[row["queue"]][int(row["minute"].timestamp()) // 60] = row["count"]
    return found


def _samples(now: datetime) -> dict[tuple[str, str | None], Sample]:
    """Return the samples by queue and task; those of whole queues have the task None."""
    names = [task.name for task in registered_tasks()]
    with connection.cursor() as cursor:
        cursor.execute(_QUANTILES, [names, now - timedelta(minutes=MINUTES), NEWEST_OF_EACH_TASK])
        rows: list[Any] = cursor.fetchall()
    nothing: list[float | None] = [None] * 3
    return {
        (queue, task): Sample(jobs, failed, waits or nothing, runs or nothing)
        for queue, task, jobs, failed, waits, runs in rows
    }
