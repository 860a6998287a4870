"""Figures about finished jobs: per task, and over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Aggregate, Count, DateTimeField, F, FloatField, Func, Q, QuerySet, Value

from tasks_app.engine import JobState
from tasks_app.models import Job

MAX_HOURS = 24 * 31
# The series has between 60 and 200 points or so: the smallest step that does not make it longer.
STEPS_SECONDS = (60, 300, 600, 1800, 3600, 4 * 3600)
MAX_POINTS = 200

_SUCCEEDED = Count("pk", filter=Q(state=JobState.SUCCEEDED))
_FAILED = Count("pk", filter=Q(state=JobState.FAILED))
_CANCELLED = Count("pk", filter=Q(state=JobState.CANCELLED))


class _Quantiles(Aggregate):
    """Median, 95th and 99th percentile at once (PostgreSQL's ordered-set aggregate skips NULLs)."""

    template = "percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = ArrayField(FloatField())


class _Bin(Func):
    """The start of the step a time falls in, steps counted from the epoch."""

    function = "date_bin"
    output_field = DateTimeField()

    def __init__(self, step: timedelta, expression: F) -> None:
        super().__init__(Value(step), expression, Value(datetime(1970, 1, 1, tzinfo=UTC)))


def task_stats(*, hours: int, now: datetime) -> list[dict[str, Any]]:
    """Per task: runs, succeeded, failures, cancelled, retried, and quantiles of waiting and running, in seconds."""
    rows = (
        _ended_since(now - timedelta(hours=hours))
        .values("task", "queue")
        .annotate(
            runs=Count("pk"),
            succeeded=_SUCCEEDED,
            failures=_FAILED,
            cancelled=_CANCELLED,
            retried=Count("pk", filter=Q(attempt_count__gt=1)),
            waits=_Quantiles("wait_seconds"),
            run_times=_Quantiles("run_seconds"),
        )
        .order_by("task", "queue")
    )
    return [_with_quantiles(dict(row)) for row in rows]


def throughput(*, hours: int, now: datetime) -> tuple[int, list[dict[str, Any]]]:
    """The step in seconds, and per step that saw a job end: {"start", "succeeded", "failures", "cancelled"}."""
    step_seconds = step_for(hours)
    rows = (
        _ended_since(now - timedelta(hours=hours))
        .annotate(start=_Bin(timedelta(seconds=step_seconds), F("finished_at")))
        .values("start")
        .annotate(succeeded=_SUCCEEDED, failures=_FAILED, cancelled=_CANCELLED)
        .order_by("start")
    )
    return step_seconds, [dict(row) for row in rows]


def step_for(hours: int) -> int:
    """The step of a series over so many hours, in seconds."""
    return next(step for step in STEPS_SECONDS if hours * 3600 / step <= MAX_POINTS)


def _ended_since(start: datetime) -> QuerySet[Job]:
    return Job.objects.filter(finished_at__gte=start)


def _with_quantiles(row: dict[str, Any]) -> dict[str, Any]:
    waits, run_times = row.pop("waits"), row.pop("run_times")
    return {**row, "wait_seconds": _named(waits), "run_seconds": _named(run_times)}


def _named(quantiles: list[float] | None) -> dict[str, float | None]:
    p50, p95, p99 = quantiles or (None, None, None)
    return {"p50": p50, "p95": p95, "p99": p99}
