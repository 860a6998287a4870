"""Forms that begin with what is there: the arguments of a job to run again, the recurrence of a schedule for another task."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django_q.models import Schedule

from tasks_app.engine import InvalidArguments, Task
from tasks_app.engine.redaction import is_complete
from tasks_app.queries.jobs import find_job
from tasks_app.services.schedules import InvalidSchedule, parse_kwargs


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


def schedule_like(text: str, user: Any) -> Schedule | None:
    """Return the schedule of that number, if `user` may see schedules."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and user.has_perm("django_q.view_schedule")):
        return None
    return Schedule.objects.select_related("state").filter(pk=int(text)).first()


def arguments_like(schedule: Schedule, task: Task[Any, Any]) -> dict[str, Any] | None:
    """Return those arguments of a schedule that this task has, too; None for none."""
    try:
        given = parse_kwargs(schedule.kwargs)
    except InvalidSchedule:
        return None
    return {name: value for name, value in given.items() if name in task.parameter_names} or None
