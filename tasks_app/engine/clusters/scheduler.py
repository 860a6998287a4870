"""The scheduler process of a cluster: due schedules, rows of jobs that ended without a worker, and repair of groups.

Several clusters may run one at the same time: every step is claimed in the database or idempotent.
"""

from __future__ import annotations

import importlib
import logging
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from types import FrameType

import redis
from django.db import DatabaseError, InterfaceError, close_old_connections, connections, reset_queries
from msgspec.structs import replace

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import RedisClient
from tasks_app.engine.consumers import HOST
from tasks_app.engine.ended import record_of_hash
from tasks_app.engine.errors import BadPayload, EngineError
from tasks_app.engine.flow_rows import links_to_keep
from tasks_app.engine.groups.ending import rows_of_parts
from tasks_app.engine.groups.following import follow_stored
from tasks_app.engine.groups.sweeping import GroupSweeper
from tasks_app.engine.job_hash import JobHash, read_job_hashes
from tasks_app.engine.keys import scheduler_key
from tasks_app.engine.lanes import queue_parts
from tasks_app.engine.metrics.jobs import JOBS_FINISHED
from tasks_app.engine.payload import unseal
from tasks_app.engine.records import FinishedJob
from tasks_app.engine.redaction import redact_call
from tasks_app.engine.registry import parameter_names, task_label
from tasks_app.engine.states import LIVE_STATES
from tasks_app.engine.storing import store_rows
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

    @staticmethod
    def _run_step(name: str, step: Callable[[], object]) -> None:
        """Run one step of a tick. An error is logged, so that it holds up no other step; the next tick tries again."""
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
        until = time.time() // TICK_SECONDS * TICK_SECONDS + TICK_SECONDS
        while not self.stopping and (remaining := until - time.time()) > 0:
            time.sleep(min(remaining, 0.2))


def record_ended(queue: JobQueue) -> int:
    """Write the rows of jobs that were cancelled while waiting or lost their worker too often; return how many ended.

    Of a queue with lanes those of the lanes, too.
    """
    parts = queue_parts(queue.name, queue.client)
    pipe = queue.client.pipeline(transaction=False)
    for part in parts:
        pipe.zcard(part.keys.ended)
    return sum(_record_ended(part) for part, count in zip(parts, pipe.execute(), strict=True) if count)


def _record_ended(part: JobQueue) -> int:
    job_ids = part.ended_without_worker()
    if not job_ids:
        return 0
    hashes = read_job_hashes(part.client, [(part.keys, job_id) for job_id in job_ids])
    # A job that lives, or has no hash any more, gets no row.
    ended = [job for job in hashes if job and job.state not in LIVE_STATES]
    store_rows([*chain.from_iterable(map(_rows_of_parts, ended)), *map(ended_record, ended)])
    follow_stored(part.name, {job.job_id: job.message for job in ended})
    # Schedulers tick at the same second, and who cancels a job writes its row, too.
    counted = part.ack_ended(job_ids)
    for job in ended:
        if job.job_id in counted:
            JOBS_FINISHED.add(1, job.queue, task_label(job.task), str(job.state))
    return len(job_ids)


def _rows_of_parts(group: JobHash) -> list[FinishedJob]:
    """Return the rows of the parts that had succeeded when their group was cancelled."""
    if not group.results:
        return []
    with suppress(BadPayload):
        payload = unseal(group.queue, group.job_id, group.message)
        return rows_of_parts(group.queue, group.job_id, payload, group.results)
    return []


def record_all_ended(queue: JobQueue, seconds: float) -> None:
    """Call `record_ended` until no row is left or the time is up; the schedulers of the clusters write the rest."""
    until = time.monotonic() + seconds
    while record_ended(queue) and time.monotonic() < until:
        pass


def ended_record(job: JobHash) -> FinishedJob:
    """Return the row of a job that ended without a worker."""
    record = record_of_hash(job)
    _add_payload(record, job.message)
    if job.is_unsafe_to_store:
        # Any of its details may be what killed the workers that wrote its row.
        return replace(record, attempts=[], progress=None, args=[], kwargs={}, flow=None)
    return record


def _add_payload(record: FinishedJob, message: bytes) -> None:
    try:
        payload = unseal(record.queue, record.job_id, message)
    except BadPayload as error:
        record.error_message = f"{record.error_message} {error}".strip()
        return
    record.args, record.kwargs = redact_call(parameter_names(payload.task), *payload.call)
    record.requested_by_id = payload.requested_by_id
    record.schedule_id = payload.schedule_id
    record.retry_of = payload.retry_of
    record.request_id = payload.request_id or ""
    record.parent_id, record.member_index, record.flow, record.label = links_to_keep(payload)
