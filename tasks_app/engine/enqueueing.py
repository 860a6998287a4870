"""Putting a job into Redis. The only place that writes a new job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import redis
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from tasks_app.engine.config import EngineConfig, engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.errors import InvalidArguments, PayloadTooLarge, QueueFull, QueueUnavailable
from tasks_app.engine.keys import PRIORITIES, QueueKeys
from tasks_app.engine.payload import Envelope, Payload
from tasks_app.engine.scripts import script

# A unique key outlives no forgotten job by more than this.
UNIQUE_TTL_MS = 24 * 3600 * 1000
MAX_DELAY_SECONDS = 366 * 24 * 3600
CHUNK_JOBS = 500
CHUNK_BYTES = 4 * 1024 * 1024
# Job id, message, and the Redis key of its unique key ("" for none).
Sealed = tuple[str, bytes, str]


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What a caller may say about a job besides its arguments."""

    countdown: float | None = None
    eta: datetime | None = None
    job_id: UUID | None = None
    unique_key: str | None = None
    # One for each call, where many are made at once.
    unique_keys: Sequence[str] | None = None
    requested_by_id: int | None = None
    schedule_id: int | None = None
    retry_of: UUID | None = None
    priority: str = "normal"


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
    return write_jobs(queue, task_name, [(options.job_id or uuid4(), call_json)], options)[0]


def enqueue_many_checked(
    queue: str, task_name: str, calls: Sequence[tuple[UUID, str]], options: JobOptions
) -> list[UUID]:
    """Write a job for each (id, checked arguments).

    Safe to call again with the same ids after an error: what was written is not written twice. Errors as above.
    """
    return write_jobs(queue, task_name, calls, options)


def write_to_redis(queue: str, task_name: str, calls: Sequence[tuple[UUID, str]], options: JobOptions) -> list[UUID]:
    """Write the jobs in chunks, each whole or not at all."""
    config = engine_config()
    keys = QueueKeys(config.prefix, config.queue(queue).name)
    now_ms = time.time_ns() // 1_000_000
    payload = Payload(
        task=task_name,
        call=([], {}),
        created_ms=now_ms,
        requested_by_id=options.requested_by_id,
        schedule_id=options.schedule_id,
        retry_of=str(options.retry_of) if options.retry_of else None,
    )
    uniques = [keys.unique(key) if key else "" for key in unique_keys_of(options, len(calls))]
    common = [
        keys.job_prefix,
        task_name,
        now_ms,
        due_ms(options, now_ms),
        config.max_queue_depth,
        options.requested_by_id or "",
        known_priority(options.priority),
        UNIQUE_TTL_MS,
    ]
    envelope = Envelope(queue, payload)
    ids = {str(job_id): job_id for job_id, _ in calls}
    sealed = [
        (name := str(job_id), _seal_within(config, envelope, name, call), unique)
        for (job_id, call), unique in zip(calls, uniques, strict=True)
    ]
    made: list[UUID] = []
    for chunk in batched(sealed):
        made += [ids.get(job_id) or UUID(job_id) for job_id in _write(queue, keys, common, chunk)]
    return made


def unique_keys_of(options: JobOptions, count: int) -> Sequence[str]:
    """The unique key of each of so many calls, empty for none."""
    return options.unique_keys or [options.unique_key or ""] * count


def _write(queue: str, keys: QueueKeys, common: list[Any], chunk: Sequence[Sealed]) -> list[str]:
    arguments = list(common)
    for one in chunk:
        arguments += one
    try:
        outcomes = script(client(), "enqueue")(keys=[*keys.streams, keys.delayed], args=arguments)
    except redis.RedisError as error:
        raise QueueUnavailable(f"The queue server did not take the job: {error}") from error
    if outcomes[-1][0] == b"full":
        raise QueueFull(f"Queue {queue!r} holds {outcomes[-1][1]} jobs, which is its limit.")
    return [job_id.decode() for _, job_id in outcomes]


def _seal_within(config: EngineConfig, envelope: Envelope, job_id: str, call_json: str) -> bytes:
    message = envelope.seal(job_id, call_json)
    if len(message) > config.max_payload_bytes:
        raise PayloadTooLarge(f"{len(message)} bytes of arguments; at most {config.max_payload_bytes} are allowed.")
    return message


def known_priority(priority: str) -> str:
    """Return it. Raises InvalidArguments for one that does not exist."""
    if priority not in PRIORITIES:
        raise InvalidArguments(f"Unknown priority {priority!r}: high, normal and low are known.")
    return priority


def batched(sealed: list[Sealed]) -> Iterator[list[Sealed]]:
    """Split so that no script call carries more than CHUNK_JOBS jobs or about CHUNK_BYTES: Redis runs one at a time."""
    chunk: list[Sealed] = []
    size = 0
    for entry in sealed:
        if chunk and (len(chunk) >= CHUNK_JOBS or size + len(entry[1]) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(entry)
        size += len(entry[1])
    if chunk:
        yield chunk


# The seam at which `engine.testing` takes the queue's place.
write_jobs: Callable[[str, str, Sequence[tuple[UUID, str]], JobOptions], list[UUID]] = write_to_redis


def run_on_commit(callback: Callable[[], object]) -> None:
    """Run `callback` after the present transaction commits; at once where there is none or no database."""
    try:
        transaction.on_commit(callback)
    except ImproperlyConfigured:
        callback()
