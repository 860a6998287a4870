"""Running the task of a job with other arguments: those of the job, to begin with."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tasks_app.engine import InvalidArguments, Task
from tasks_app.engine.redaction import is_complete
from tasks_app.queries.jobs import find_job


def arguments_from(job_id: str, task: Task[Any, Any], user: Any) -> tuple[UUID | None, dict[str, Any] | None]:
    """Return the id and the arguments by name of a job of this task that `user` may see, without what is not kept whole.

    Nothing for any other text.
    """
    try:
        job = find_job(UUID(job_id), user=user)
        given = task.arguments.by_name(job.args, job.kwargs) if job and job.task == task.name else None
    except (ValueError, InvalidArguments):
        return None, None
    if job is None or given is None:
        return None, None
    return job.id, {name: value for name, value in given.items() if is_complete(value)}
