"""The scheduler process of a cluster: due schedules, rows of jobs that ended without a worker, and repair of groups.

Several clusters may run one at the same time: every step is claimed in the database or idempotent.
"""

from __future__ import annotations

import importlib
import logging
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from types import FrameType

import redis
from django.db import DatabaseError, InterfaceError, close_old_connections, connections, reset_queries

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import RedisClient
from tasks_app.engine.consumers import HOST
from tasks_app.engine.ended_rows import record_all_ended
from tasks_app.engine.errors import EngineError
from tasks_app.engine.groups.sweeping import GroupSweeper
from tasks_app.engine.keys import scheduler_key
from tasks_app.engine.streams import JobQueue

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0
# Time of each tick for the rows of jobs that ended without a worker: a purge can end many at once.
SPARE_SECONDS = 0.5
# A tick may take longer where Redis or PostgreSQL is slow.
BEAT_SECONDS = 30


def beat(client: RedisClient) -> None:
    """Let it be known that a scheduler runs. Raises redis.RedisError."""
    client.set(scheduler_key(engine_config().prefix), HOST, ex=BEAT_SECONDS)


def is_scheduler_running(client: RedisClient) -> bool:
    """Return whether some scheduler has run lately. Raises redis.RedisError."""
    return bool(client.exists(scheduler_key(engine_config().prefix)))


class SchedulerProcess:
    """Ticks at every full second."""

    def __init__(self, queues: list[str], client: RedisClient) -> None:
        self._queue_names = queues
        self._client = client
        self.stopping = False

    def run(self) -> int:
        """Tick until SIGUSR2."""
        signal.signal(signal.SIGUSR2, self._stop)
        schedules = importlib.import_module(engine_config().schedules)
        queues = [JobQueue(name, self._client) for name in self._queue_names]
        sweepers = {queue.name: GroupSweeper(queue) for queue in queues}
        while not self.stopping:
            close_old_connections()
            self._run_step("heartbeat", partial(beat, self._client))
            self._run_step("schedules", lambda: schedules.run_due_schedules(datetime.now(UTC)))
            for queue in queues:
                self._run_step(queue.name, partial(record_all_ended, queue, seconds=SPARE_SECONDS / len(queues)))
                self._run_step(f"groups of {queue.name}", sweepers[queue.name].turn)
            reset_queries()
            self._sleep()
        return 0

    def _run_step(self, name: str, step: Callable[[], object]) -> None:
        """Run one step of a tick. An error is logged, so that it holds up no other step; the next tick tries again."""
        if self.stopping:
            return
        try:
            step()
        except (redis.RedisError, DatabaseError, InterfaceError, EngineError) as error:
            logger.warning("scheduler, %s: %s; trying again", name, error)
            connections.close_all()
        except Exception:
            # One step that fails keeps neither the others nor the next turn from running.
            logger.exception("scheduler, %s: unexpected; trying again", name)
            connections.close_all()

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _sleep(self) -> None:
        """Sleep until the next full second. The host's clock is asked once: set back meanwhile, it would be hours away."""
        until = time.monotonic() + TICK_SECONDS - time.time() % TICK_SECONDS
        while not self.stopping and (remaining := until - time.monotonic()) > 0:
            time.sleep(min(remaining, 0.2))
