"""Putting a job into Redis. The only place that writes a new job."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import redis
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.errors import InvalidArguments, PayloadTooLarge, QueueFull, QueueUnavailable
from tasks_app.engine.keys import QueueKeys
from tasks_app.engine.payload import Payload, seal
from tasks_app.engine.scripts import script

# A unique key outlives no forgotten job by more than this.
UNIQUE_TTL_MS = 24 * 3600 * 1000
MAX_DELAY_SECONDS = 366 * 24 * 3600


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What a caller may say about a job besides its arguments."""

    countdown: float | None = None
    eta: datetime | None = None
    job_id: UUID | None = None
    unique_key: str | None = None
    requested_by_id: int | None = None
    schedule_id: int | None = None
    retry_of: UUID | None = None


def due_ms(options: JobOptions, now_ms: int) -> int:
    """Return when the job is due in ms since the epoch, 0 for now. Raises InvalidArguments for an impossible time."""
    if options.countdown is not None and options.eta is not None:
        raise InvalidArguments("Give countdown or eta, not both.")
    if options.eta is not None and options.eta.tzinfo is None:
        raise InvalidArguments("eta must carry a time zone.")
    delay_seconds = options.countdown or 0.0
    if options.eta is not None:
        delay_seconds = options.eta.timestamp() - now_ms / 1000
    if not delay_seconds <= MAX_DELAY_SECONDS:
        raise InvalidArguments("A job cannot be delayed by more than a year.")
    return now_ms + int(delay_seconds * 1000) if delay_seconds > 0 else 0


def enqueue_checked(queue: str, task_name: str, call_json: str, options: JobOptions) -> UUID:
    """Write one job whose arguments were checked; return its id (that of the holder, for a taken unique key).

    Raises InvalidArguments, PayloadTooLarge, QueueFull, QueueUnavailable.
    """
    config = engine_config()
    keys = QueueKeys(config.prefix, config.queue(queue).name)
    job_id = options.job_id or uuid4()
    now_ms = time.time_ns() // 1_000_000
    payload = Payload(
        task=task_name,
        call=([], {}),
        created_ms=now_ms,
        requested_by_id=options.requested_by_id,
        schedule_id=options.schedule_id,
        retry_of=str(options.retry_of) if options.retry_of else None,
    )
    message = seal(queue, str(job_id), payload, call_json)
    if len(message) > config.max_payload_bytes:
        raise PayloadTooLarge(f"{len(message)} bytes of arguments; at most {config.max_payload_bytes} are allowed.")
    unique = keys.unique(options.unique_key) if options.unique_key else keys.job(str(job_id))
    try:
        outcome, value = script(client(), "enqueue")(
            keys=[keys.stream, keys.delayed, keys.job(str(job_id)), unique],
            args=[
                str(job_id),
                message,
                task_name,
                now_ms,
                due_ms(options, now_ms),
                UNIQUE_TTL_MS if options.unique_key else 0,
                config.max_queue_depth,
                options.requested_by_id or "",
            ],
        )
    except redis.RedisError as error:
        raise QueueUnavailable(f"The queue server did not take the job: {error}") from error
    if outcome == b"full":
        raise QueueFull(f"Queue {queue!r} holds {value} jobs, which is its limit.")
    return UUID(value.decode())


def run_on_commit(callback: Callable[[], object]) -> None:
    """Run `callback` after the present transaction commits; at once where there is none or no database."""
    try:
        transaction.on_commit(callback)
    except ImproperlyConfigured:
        callback()
