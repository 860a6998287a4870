"""Running the task of a job with other arguments: those of the job, to begin with."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tasks_app.engine import InvalidArguments, Task
from tasks_app.engine.redaction import is_complete
from tasks_app.queries.jobs import find_job


def arguments_from(job_id: str, task: Task[Any, Any], user: Any) -> dict[str, Any] | None:
    """Return the arguments by name of a job of this task that `user` may see, without what is not kept whole; else None."""
    try:
        job = find_job(UUID(job_id), user=user)
        given = task.arguments.by_name(job.args, job.kwargs) if job and job.task == task.name else None
    except (ValueError, InvalidArguments):
        return None
    return None if given is None else {name: value for name, value in given.items() if is_complete(value)}
