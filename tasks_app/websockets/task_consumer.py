"""One connection of /ws/tasks/: jobs and queues as they are now, sent when they change."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.db import database_sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from tasks_app.queries.watched_jobs import JobNow, jobs_now, queues_now
from tasks_app.websockets import messages
from tasks_app.websockets.hub import TROUBLES
from tasks_app.websockets.personal import PersonalConsumer

LOOK_SECONDS = 1.0
HEARTBEAT_SECONDS = 25.0
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


class TaskConsumer(PersonalConsumer):
    """Progress of jobs and figures of queues. Its messages and close codes: docs/live.md."""

    channel_layer_alias = None
    kind = "tasks"

    async def opened(self) -> None:
        """Begin to look, once its user is known."""
        watched = self._watched()
        if watched is None:
            self.end(messages.BAD_MESSAGE)
            return
        self._start(self._look_on(watched))

    def _watched(self) -> Watched | None:
        try:
            return read_watched(self.scope["query_string"].decode("ascii"))
        except ValueError:
            return None

    async def _look_on(self, watched: Watched) -> None:
        """Send what changed, once a second, until every job has ended and no queue is watched."""
        sent_jobs: dict[UUID, JobNow] = {}
        left = watched.job_ids
        sent_queues: Any = None
        quiet_seconds = 0.0
        while True:
            try:
                jobs, queues = await database_sync_to_async(_now)(self.access.user_id, left, watched.with_queues)
            except TROUBLES:
                self.end(messages.TRY_AGAIN_LATER)
                return
            changed = [job for job in jobs if sent_jobs.get(job.task_id) != job]
            message = messages.task_message(changed, queues if queues != sent_queues else None)
            if message is not None:
                await self.send(message)
                quiet_seconds = 0.0
            sent_jobs |= {job.task_id: job for job in changed}
            sent_queues = queues
            left = tuple(job.task_id for job in jobs if not job.has_ended)
            if not watched.with_queues and not left:
                self.end(messages.DONE)
                return
            await asyncio.sleep(LOOK_SECONDS)
            quiet_seconds += LOOK_SECONDS
            if quiet_seconds >= HEARTBEAT_SECONDS:
                await self.send(messages.heartbeat(timezone.now()))
                quiet_seconds = 0.0


def _now(user_id: int, job_ids: tuple[UUID, ...], with_queues: bool) -> tuple[list[JobNow], Any]:
    """The jobs and queues as the user may see them now; nothing of one whose account is gone, which ends the connection."""
    user = get_user_model()._default_manager.filter(pk=user_id).first() or AnonymousUser()
    return jobs_now(job_ids, user=user), queues_now(user) if with_queues else None
