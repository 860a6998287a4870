"""The scheduler process of a cluster: once a second it enqueues what is due, and writes the rows of jobs that ended
without a worker. Several clusters may do so at once: every step is claimed in the database or idempotent."""

from __future__ import annotations

import importlib
import json
import logging
import signal
import time
from datetime import UTC, datetime
from types import FrameType

import redis
from django.db import DatabaseError, InterfaceError, close_old_connections, connections, reset_queries

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import worker_client
from tasks_app.engine.errors import BadPayload, EngineError
from tasks_app.engine.payload import unseal
from tasks_app.engine.records import FinishedJob, from_ms
from tasks_app.engine.redaction import redact
from tasks_app.engine.states import JobState
from tasks_app.engine.streams import JobQueue
from tasks_app.engine.worker import job_store

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0
# Of each tick so much may go into the rows of jobs that ended without a worker: a purge can make many at once.
SPARE_SECONDS = 0.5


class SchedulerProcess:
    """Ticks on the second."""

    def __init__(self, queues: list[str]) -> None:
        self._queue_names = queues
        self.stopping = False

    def run(self) -> int:
        """Tick until told to stop (SIGUSR2)."""
        signal.signal(signal.SIGUSR2, self._stop)
        schedules = importlib.import_module(engine_config().schedules)
        client = worker_client()
        queues = [JobQueue(name, client) for name in self._queue_names]
        while not self.stopping:
            try:
                close_old_connections()
                schedules.run_due_schedules(datetime.now(UTC))
                for queue in queues:
                    record_all_ended(queue, seconds=SPARE_SECONDS / len(queues))
                reset_queries()
            except (redis.RedisError, DatabaseError, InterfaceError, EngineError) as error:
                logger.warning("scheduler: %s; trying again", error)
                connections.close_all()
            self._sleep()
        return 0

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _sleep(self) -> None:
        until = time.time() // TICK_SECONDS * TICK_SECONDS + TICK_SECONDS
        while not self.stopping and (remaining := until - time.time()) > 0:
            time.sleep(min(remaining, 0.2))


def record_ended(queue: JobQueue) -> int:
    """Write the rows of jobs that were cancelled while waiting, or lost their worker too often; return how many."""
    job_ids = queue.ended_without_worker()
    if not job_ids:
        return 0
    pipe = queue.client.pipeline(transaction=False)
    for job_id in job_ids:
        pipe.hgetall(queue.keys.job(job_id))
    found = zip(job_ids, pipe.execute(), strict=True)
    records = [record for job_id, raw in found if (record := ended_record(queue.name, job_id, raw))]
    job_store().store_finished(records)
    queue.forget_ended(job_ids)
    return len(records)


def record_all_ended(queue: JobQueue, seconds: float) -> None:
    """Write such rows until none is left to write, or the time is up (then the schedulers of the clusters go on)."""
    until = time.monotonic() + seconds
    while record_ended(queue) and time.monotonic() < until:
        pass


def ended_record(queue_name: str, job_id: str, raw: dict[bytes, bytes]) -> FinishedJob | None:
    """Make the row of one such job from its hash; None when the hash is gone."""
    fields = {key.decode(): value for key, value in raw.items()}
    if "st" not in fields or "p" not in fields:
        return None
    state = JobState(fields["st"].decode())
    record = FinishedJob(
        job_id=job_id,
        task=fields["t"].decode(),
        queue=queue_name,
        state=state,
        created_at=from_ms(int(fields["enq"])),
        finished_at=datetime.now(UTC),
        attempts=json.loads(fields["err"]) if "err" in fields else [],
        attempt_count=int(fields.get("att", 0)),
        progress=json.loads(fields["pr"]) if "pr" in fields else None,
        started_at=from_ms(int(fields["t0"])) if "t0" in fields else None,
        priority=fields.get("pri", b"normal").decode(),
    )
    _add_reason(record, fields)
    _add_payload(record, fields["p"])
    return record


def _add_reason(record: FinishedJob, fields: dict[str, bytes]) -> None:
    if record.state == JobState.CANCELLED:
        asked = json.loads(fields.get("cx", b"{}"))
        record.error_class = "JobCancelled"
        record.error_message = asked.get("reason") or "Cancelled before it started."
    else:
        record.error_class = "JobLost"
        lost = int(fields.get("lost", 0))
        record.error_message = f"Its worker died {lost} times while running it: {fields.get('why', b'').decode()}"


def _add_payload(record: FinishedJob, message: bytes) -> None:
    try:
        payload = unseal(record.queue, record.job_id, message)
    except BadPayload as error:
        record.error_message = f"{record.error_message} {error}".strip()
        return
    record.args, record.kwargs = redact(list(payload.call))
    record.requested_by_id = payload.requested_by_id
    record.schedule_id = payload.schedule_id
    record.retry_of = payload.retry_of
