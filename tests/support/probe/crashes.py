"""Ends of processes (SIGKILL) at a step of a group, where PROBE_DIES_AT names one: "Class.method number of the call"."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client


def owners() -> dict[str, type]:
    from tasks_app.engine.groups.following import Follower
    from tasks_app.engine.groups.redis_groups import RedisGroups
    from tasks_app.engine.groups.sweeping import GroupSweeper
    from tasks_app.engine.lanes.worker_queue import WorkerQueue
    from tasks_app.engine.streams import JobQueue

    return {one.__name__: one for one in (Follower, RedisGroups, JobQueue, WorkerQueue, GroupSweeper)}


def deaths_key() -> str:
    return f"{engine_config().prefix}:calls-until-death"


def die_at(place: str, number: int) -> None:
    """Let the process that makes this call of a method end before it, counted over all processes; no other ends."""
    name, _, method = place.partition(".")
    owner = owners()[name]
    original: Callable[..., Any] = getattr(owner, method)

    def dying(self: Any, *args: Any, **options: Any) -> Any:
        if client().incr(deaths_key()) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, *args, **options)

    setattr(owner, method, dying)


if os.environ.get("PROBE_DIES_AT"):
    place, _, number = os.environ["PROBE_DIES_AT"].partition(" ")
    die_at(place, int(number))
