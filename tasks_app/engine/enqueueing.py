"""Writing new jobs into Redis. No other module makes a job hash."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
import redis

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.errors import InvalidArguments, PayloadTooLarge, QueueFull, QueueUnavailable
from tasks_app.engine.flows import Flow
from tasks_app.engine.groups.redis_groups import Groups, RedisGroups
from tasks_app.engine.keys import PRIORITIES, QueueKeys
from tasks_app.engine.payload import Envelope, Payload
from tasks_app.engine.scripts import run_script

# A unique key lapses after this time, should its job be lost without a trace.
UNIQUE_TTL_MS = 24 * 3600 * 1000
MAX_DELAY_SECONDS = 366 * 24 * 3600
MAX_TIMEOUT_SECONDS = 7 * 24 * 3600
NO_LIMIT = 10**12
CHUNK_JOBS = 500
CHUNK_BYTES = 4 * 1024 * 1024
# Job id, message, and the Redis key of its unique key ("" for none).
Sealed = tuple[str, bytes, str]


class JobOptions(msgspec.Struct, frozen=True):
    """Options of the jobs that one call makes. Raises InvalidArguments for an unknown priority."""

    countdown: float | None = None
    eta: datetime | None = None
    # One per job, "" for none.
    unique_keys: Sequence[str] = ()
    requested_by_id: int | None = None
    schedule_id: int | None = None
    retry_of: UUID | None = None
    priority: str = "normal"
    # Time limit of these jobs, where it is not that of their task.
    timeout_seconds: float | None = None
    flow: Flow | None = None
    # Of members of a group, one per job.
    member_indexes: Sequence[int | None] = ()
    # What follows a job that was accepted is accepted, too, however full the queue is.
    is_accepted: bool = False
    # When they are made, for a caller that keeps the time itself; 0 for now.
    created_ms: int = 0

    def __post_init__(self) -> None:
        if self.priority not in PRIORITIES:
            raise InvalidArguments(f"Unknown priority {self.priority!r}: high, normal and low are known.")
        if self.timeout_seconds is not None and not 0 < self.timeout_seconds <= MAX_TIMEOUT_SECONDS:
            raise InvalidArguments(f"A time limit is more than 0 and at most {MAX_TIMEOUT_SECONDS} seconds.")

    def due_ms(self, now_ms: int) -> int:
        """Return when the jobs are due in ms since the epoch, 0 for now. Raises InvalidArguments for an impossible time."""
        if self.countdown is not None and self.eta is not None:
            raise InvalidArguments("Give countdown or eta, not both.")
        if self.eta is not None and self.eta.tzinfo is None:
            raise InvalidArguments("eta must carry a time zone.")
        delay_seconds = self.countdown or 0.0
        if self.eta is not None:
            delay_seconds = self.eta.timestamp() - now_ms / 1000
        if not delay_seconds <= MAX_DELAY_SECONDS:
            raise InvalidArguments("A job cannot be delayed by more than a year.")
        return now_ms + int(delay_seconds * 1000) if delay_seconds > 0 else 0

    def envelope(self, queue: str, task_name: str, now_ms: int) -> Envelope:
        """Return the part that the messages of these jobs have in common."""
        payload = Payload(
            task=task_name,
            call=([], {}),
            created_ms=now_ms,
            requested_by_id=self.requested_by_id,
            schedule_id=self.schedule_id,
            retry_of=str(self.retry_of) if self.retry_of else None,
            timeout_seconds=self.timeout_seconds,
            flow=self.flow,
        )
        return Envelope(queue, payload)


class RedisBackend:
    """Makes jobs on the queues in Redis."""

    groups: Groups = RedisGroups()

    def enqueue(self, queue: str, task_name: str, calls: Sequence[tuple[UUID, str]], options: JobOptions) -> list[UUID]:
        """Write a job for each (id, checked arguments), in chunks, each whole or not at all; see `backends.Backend`."""
        config = engine_config()
        keys, script_keys = _keys(config.prefix, config.queue(queue).name)
        now_ms = options.created_ms or time.time_ns() // 1_000_000
        uniques = [keys.unique(key) if key else "" for key in options.unique_keys or [""] * len(calls)]
        common = [
            keys.job_prefix,
            task_name,
            now_ms,
            options.due_ms(now_ms),
            NO_LIMIT if options.is_accepted else config.max_queue_depth,
            options.requested_by_id or "",
            options.priority,
            UNIQUE_TTL_MS,
        ]
        envelope = options.envelope(queue, task_name, now_ms)
        members = options.member_indexes or [None] * len(calls)
        sealed = [
            (name := str(job_id), _seal_within(config.max_payload_bytes, envelope, name, call, member), unique)
            for (job_id, call), unique, member in zip(calls, uniques, members, strict=True)
        ]
        made = [job_id for job_id, _ in calls]
        written = 0
        for chunk in batched(sealed):
            for place, holder in _write(queue, script_keys, common, chunk):
                made[written + place] = holder
            written += len(chunk)
        return made


@lru_cache(maxsize=32)
def _keys(prefix: str, queue: str) -> tuple[QueueKeys, tuple[str, ...]]:
    keys = QueueKeys(prefix, queue)
    return keys, (*keys.streams, keys.delayed)


def _write(queue: str, keys: Sequence[str], common: list[Any], chunk: Sequence[Sealed]) -> list[tuple[int, UUID]]:
    """Make the jobs; return the place and the holder's id of each whose unique key is taken."""
    arguments = list(common)
    for one in chunk:
        arguments += one
    try:
        others = run_script(client(), "enqueue", keys, arguments)
    except redis.RedisError as error:
        raise QueueUnavailable(f"The queue server did not take the job: {error}") from error
    for _, outcome, depth in others:
        if outcome == b"full":
            raise QueueFull(f"Queue {queue!r} holds {depth} jobs, which is its limit.")
    return [(place, UUID(holder.decode())) for place, _, holder in others]


def _seal_within(limit: int, envelope: Envelope, job_id: str, call_json: str, member_index: int | None) -> bytes:
    message = envelope.seal(job_id, call_json, member_index)
    if len(message) > limit:
        raise PayloadTooLarge(f"{len(message)} bytes of arguments; at most {limit} are allowed.")
    return message


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
