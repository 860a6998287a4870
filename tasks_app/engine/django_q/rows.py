"""Ended jobs as `django_q.tasks` returns them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import django_q.models
from django_q.humanhash import DEFAULT_HASHER

from tasks_app.engine.records import FinishedJob
from tasks_app.engine.states import JobState


def result_of(ended: FinishedJob) -> Any:
    """Return what the job's task returned, a text with error and traceback if it failed."""
    if ended.state == JobState.SUCCEEDED:
        return ended.result
    return f"{ended.error_class}: {ended.error_message} : {ended.traceback}"


def task_of_row(ended: FinishedJob) -> django_q.models.Task:
    """Return the ended job as a django_q Task that is in no table."""
    job_id = UUID(ended.job_id).hex
    return django_q.models.Task(
        id=job_id,
        name=DEFAULT_HASHER.humanize(job_id),
        func=ended.task,
        args=tuple(ended.args),
        kwargs=ended.kwargs,
        group=ended.label or None,
        cluster=ended.queue,
        started=ended.started_at or ended.created_at,
        stopped=ended.finished_at,
        result=result_of(ended),
        success=ended.state == JobState.SUCCEEDED,
        attempt_count=ended.attempt_count,
    )
