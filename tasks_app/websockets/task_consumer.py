"""One connection of /ws/tasks/: jobs and queues as they are now, sent when they change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.db import database_sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser

from tasks_app.queries.watched_jobs import JobNow, jobs_now, queues_now
from tasks_app.websockets import messages
from tasks_app.websockets.watching import WatchingConsumer

MAX_JOBS = 50


@dataclass(frozen=True, slots=True)
class Watched:
    """The jobs and queues that a connection asked for."""

    job_ids: tuple[UUID, ...]
    with_queues: bool


def read_watched(query: str) -> Watched | None:
    """Return what the query string of the address asks for; None for one that asks for nothing, too much or something else."""
    parameters = parse_qs(query, keep_blank_values=True, max_num_fields=MAX_JOBS + 2)
    names = parameters.get("task_id", [])
    if parameters.keys() - {"task_id", "queues"} or len(names) > MAX_JOBS:
        return None
    if parameters.get("queues", ["true"]) != ["true"]:
        return None
    try:
        ids = tuple(dict.fromkeys(UUID(name) for name in names))
    except ValueError:
        return None
    with_queues = "queues" in parameters
    return Watched(ids, with_queues) if ids or with_queues else None


class TaskConsumer(WatchingConsumer):
    """Progress of jobs and figures of queues. Its messages and close codes: docs/live.md."""

    kind = "tasks"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sent_jobs: dict[UUID, JobNow] = {}
        self._sent_queues: Any = None
        # The jobs that have not ended; None before the first look.
        self._left: tuple[UUID, ...] | None = None

    def read(self, query: str) -> Watched | None:
        return read_watched(query)

    async def look(self, watched: Watched) -> tuple[str | None, bool]:
        """Return what changed, and whether every job has ended and no queue is watched."""
        left = watched.job_ids if self._left is None else self._left
        jobs, queues = await database_sync_to_async(_now)(self.access.user_id, left, watched.with_queues)
        changed = [job for job in jobs if self._sent_jobs.get(job.task_id) != job]
        message = messages.task_message(changed, queues if queues != self._sent_queues else None)
        self._sent_jobs |= {job.task_id: job for job in changed}
        self._sent_queues = queues
        self._left = tuple(job.task_id for job in jobs if not job.has_ended)
        return message, not watched.with_queues and not self._left


def _now(user_id: int, job_ids: tuple[UUID, ...], with_queues: bool) -> tuple[list[JobNow], Any]:
    """The jobs and queues as the user may see them now; nothing of one whose account is gone, which ends the connection."""
    user = get_user_model()._default_manager.filter(pk=user_id).first() or AnonymousUser()
    return jobs_now(job_ids, user=user), queues_now(user) if with_queues else None
