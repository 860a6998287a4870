"""Writing new jobs into Redis. No other module makes a job hash."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from secrets import token_hex
from typing import Any
from uuid import UUID

import msgspec
import redis
from msgspec.structs import replace

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.context import current_request_id
from tasks_app.engine.errors import (
    EngineError,
    InvalidArguments,
    PayloadTooLarge,
    QueueFull,
    QueueLanesChanged,
    QueueUnavailable,
)
from tasks_app.engine.flows import Flow
from tasks_app.engine.groups.redis_groups import NO_LIMIT, Groups, NewGroup, RedisGroups, begin_call, is_begun
from tasks_app.engine.keys import PRIORITIES, QueueKeys
from tasks_app.engine.lanes import lane_number, open_new_lanes
from tasks_app.engine.metrics.jobs import JOBS_ENQUEUED
from tasks_app.engine.number_types import is_number
from tasks_app.engine.payload import Payload, seal
from tasks_app.engine.redis_cluster import RedisClusterClient
from tasks_app.engine.scripts import ACCEPTED, Call, run_scripts, run_scripts_whole
from tasks_app.engine.streams import ring_call
from tasks_app.tracing import is_tracing, span, trace_here

MAX_DELAY_SECONDS = 366 * 24 * 3600
# A unique key is its job's for as long as that may wait. One whose job Redis lost is free; should nobody ask for it, it lapses.
UNIQUE_TTL_MS = 2 * MAX_DELAY_SECONDS * 1000
MAX_TIMEOUT_SECONDS = 7 * 24 * 3600
MAX_ROW_ID = 2**63 - 1
CHUNK_JOBS = 500
CHUNK_BYTES = 4 * 1024 * 1024
# Of the sign of a transaction among the arguments of lanes/enqueue.lua.
SIGN_PLACE = 5


class JobOptions(msgspec.Struct, frozen=True):
    """Options of the jobs that one call makes. Raises InvalidArguments for those that no job can have."""

    countdown: float | None = None
    eta: datetime | None = None
    # One per job, "" for none.
    unique_keys: Sequence[str] = ()
    requested_by_id: int | None = None
    schedule_id: int | None = None
    retry_of: UUID | None = None
    priority: str = "normal"
    # One per job, "" for none. Jobs of one key run in the order in which they were accepted.
    lane_keys: Sequence[str] = ()
    # Time limit of these jobs, where it is not that of their task.
    timeout_seconds: float | None = None
    flow: Flow | None = None
    # Of members of a group, one per job.
    member_indexes: Sequence[int | None] = ()
    # What follows a job that was accepted is accepted, too, however full the queue is.
    is_accepted: bool = False
    # Of the request that they come from; that in which this code runs, if it is not said.
    request_id: str = ""
    # Traceparent of the span that they belong under; the present one, if it is not said.
    trace: str = ""
    # When they are made, for a caller that keeps the time itself; 0 for now.
    created_ms: int = 0

    def __post_init__(self) -> None:
        # A worker could not read a message with a value of another type: the job would be accepted and fail.
        if self.countdown is not None and not is_number(self.countdown):
            raise InvalidArguments(f"{self.countdown!r:.100} is no countdown: seconds are meant.")
        if not isinstance(self.eta, datetime | None):
            raise InvalidArguments(f"{self.eta!r:.100} is no eta: a datetime with a time zone is meant.")
        if self.timeout_seconds is not None and not is_number(self.timeout_seconds):
            raise InvalidArguments(f"{self.timeout_seconds!r:.100} is no time limit: seconds are meant.")
        if not _is_row_id(self.requested_by_id):
            raise InvalidArguments(f"{self.requested_by_id!r:.100} is nobody: a user or the id of one is meant.")
        if not _is_row_id(self.schedule_id):
            raise InvalidArguments(f"{self.schedule_id!r:.100} is no schedule: the id of one is meant.")
        if not isinstance(self.retry_of, UUID | None):
            raise InvalidArguments(f"{self.retry_of!r:.100} is no job id: a UUID is meant.")
        if self.priority not in PRIORITIES:
            raise InvalidArguments(f"Unknown priority {self.priority!r}: high, normal and low are known.")
        if self.lane_keys and self.priority != "normal" and any(self.lane_keys):
            raise InvalidArguments("Jobs of a lane run in the order in which they came, which a priority would break.")
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

    def request_to_note(self) -> str | None:
        """Return the id of the request that their messages carry, None if there is none."""
        return self.request_id or current_request_id() or None

    def trace_to_note(self) -> str | None:
        """Return the traceparent that their messages carry, None if there is none."""
        return self.trace or trace_here() or None

    def payload(self, task_name: str, now_ms: int) -> Payload:
        """Return what the messages of these jobs have in common: all but their calls."""
        return Payload(
            task=task_name,
            call=([], {}),
            created_ms=now_ms,
            requested_by_id=self.requested_by_id,
            schedule_id=self.schedule_id,
            retry_of=str(self.retry_of) if self.retry_of else None,
            timeout_seconds=self.timeout_seconds,
            flow=self.flow,
            request_id=self.request_to_note(),
            trace=self.trace_to_note(),
        )


def _is_row_id(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_ROW_ID)


class RedisBackend:
    """Makes jobs on the queues in Redis."""

    groups: Groups = RedisGroups()

    def enqueue(self, queue: str, task_name: str, calls: Sequence[tuple[UUID, str]], options: JobOptions) -> list[UUID]:
        """Write a job for each (id, checked arguments), in chunks, each whole or not at all; see `backends.Backend`."""
        if not is_tracing():
            return self._enqueue(queue, task_name, calls, options)
        with _sending(queue, task_name, calls, options) as traced:
            return self._enqueue(queue, task_name, calls, traced)

    def make_whole(self, new: NewGroup, calls: Sequence[tuple[UUID, str]], options: JobOptions) -> bool:
        """Begin a group and make its members in one transaction; see `backends.Backend`.

        In a Redis Cluster there is none over several lanes, and Redis does nothing else while it runs a long one.
        """
        if isinstance(client(), RedisClusterClient) or len(calls) > CHUNK_JOBS:
            return False
        if not is_tracing():
            return self._make_whole(new, calls, options)
        with _sending(new.step.queue, new.step.task, calls, options) as traced:
            return self._make_whole(new, calls, traced)

    def _make_whole(self, new: NewGroup, calls: Sequence[tuple[UUID, str]], options: JobOptions) -> bool:
        sign = token_hex(8)
        queue, task_name = new.step.queue, new.step.task
        parts = _parts(queue, task_name, calls, options)
        if sum(part.size for part in parts) > CHUNK_BYTES or any(part.keys.lane is None for part in parts):
            return False
        group_key = QueueKeys(engine_config().prefix, queue).job(new.job_id)
        for part in parts:
            part.bind_to_group(group_key, sign)
        if _write_whole(new, sign, parts):
            JOBS_ENQUEUED.add(len(calls), queue, task_name)
        return True

    def _enqueue(
        self, queue: str, task_name: str, calls: Sequence[tuple[UUID, str]], options: JobOptions
    ) -> list[UUID]:
        made = [job_id for job_id, _ in calls]
        count = len(calls)
        for trip in _trips(_parts(queue, task_name, calls, options)):
            for part, others in zip(trip, _write(queue, trip), strict=True):
                for place, holder in others:
                    made[part.places[place]] = holder
                count -= len(others)
        JOBS_ENQUEUED.add(count, queue, task_name)
        return made


@contextmanager
def _sending(
    queue: str, task_name: str, calls: Sequence[tuple[UUID, str]], options: JobOptions
) -> Iterator[JobOptions]:
    """Open a span around the sending of jobs; yield the options of jobs that belong under it."""
    about = {
        "messaging.system": "tracker",
        "messaging.operation.type": "send",
        "messaging.destination.name": queue,
        "messaging.batch.message_count": len(calls),
        "messaging.message.id": str(calls[0][0]) if len(calls) == 1 else "",
    }
    with span(f"enqueue {task_name}", "producer", [options.trace], about):
        yield replace(options, trace=trace_here())


class _Part:
    """Jobs that one call of a script makes, whole or not at all, and their places among all."""

    __slots__ = ("arguments", "keys", "places", "script", "script_keys", "size")

    def __init__(self, keys: QueueKeys, script: str, script_keys: Sequence[str], arguments: list[Any]) -> None:
        self.keys = keys
        self.script = script
        self.script_keys = script_keys
        self.arguments = arguments
        self.places: list[int] = []
        self.size = 0

    @property
    def call(self) -> Call:
        return self.script, self.script_keys, self.arguments

    def takes(self, size: int) -> bool:
        """Return whether a message of this size may be added: Redis runs one script at a time, so none may run for long."""
        return len(self.places) < CHUNK_JOBS and self.size + size <= CHUNK_BYTES

    def add(self, place: int, job_id: str, message: bytes, unique_key: str) -> None:
        """Add a job."""
        self.places.append(place)
        self.arguments += (job_id, message, self.keys.unique(unique_key) if unique_key else "")
        self.size += len(message)

    def bind_to_group(self, group_key: str, sign: str) -> None:
        """Have these jobs of a lane made only if their group is begun in the same transaction, which has this sign."""
        self.script_keys = (*self.script_keys, group_key)
        self.arguments[SIGN_PLACE] = sign


def _parts(queue: str, task_name: str, calls: Sequence[tuple[UUID, str]], options: JobOptions) -> list[_Part]:
    """Write the messages of all jobs and share them out by lane. Raises PayloadTooLarge, InvalidArguments."""
    config = engine_config()
    lanes = config.queue(queue).lanes
    now_ms = options.created_ms or time.time_ns() // 1_000_000
    payload = options.payload(task_name, now_ms)
    common = (options.requested_by_id or "", now_ms, options.due_ms(now_ms))
    lane_keys = options.lane_keys if lanes else ()
    uniques, members = options.unique_keys, options.member_indexes
    parts: list[_Part] = []
    filling: dict[int | None, _Part] = {}
    for place, (job_id, call) in enumerate(calls):
        name = str(job_id)
        message = seal(queue, name, payload, call, members[place] if members else None)
        size = len(message)
        if size > config.max_payload_bytes:
            raise PayloadTooLarge(f"{size} bytes of arguments; at most {config.max_payload_bytes} are allowed.")
        lane = lane_number(lane_keys[place], lanes) if lane_keys and lane_keys[place] else None
        part = filling.get(lane)
        if part is None or not part.takes(size):
            depth = NO_LIMIT if options.is_accepted else config.max_queue_depth
            keys, script, script_keys, constant = _script_of(
                config.prefix, queue, lane, lanes, task_name, depth, options.priority
            )
            part = filling[lane] = _Part(keys, script, script_keys, [*constant, *common])
            parts.append(part)
        part.add(place, name, message, uniques[place] if uniques else "")
    return parts


@lru_cache(maxsize=2048)
def _script_of(
    prefix: str, queue: str, lane: int | None, lanes: int, task_name: str, max_depth: int, priority: str
) -> tuple[QueueKeys, str, Sequence[str], Sequence[Any]]:
    """Return the keys of jobs, and the script that makes them, with its keys and the arguments that these have in common."""
    keys = QueueKeys(prefix, queue, lane)
    kind = ACCEPTED if max_depth == NO_LIMIT else ""
    if lane is not None:
        depth = NO_LIMIT if max_depth == NO_LIMIT else -(-max_depth // lanes)
        of_lane = (keys.job_prefix, task_name, depth, UNIQUE_TTL_MS, lanes, "")
        return keys, "lane_enqueue" + kind, keys.lane_keys, of_lane
    constant = (keys.job_prefix, task_name, max_depth, UNIQUE_TTL_MS, priority)
    return keys, "enqueue" + kind, [*keys.streams, keys.delayed], constant


def _write(queue: str, parts: Sequence[_Part]) -> list[list[tuple[int, UUID]]]:
    """Make the jobs in one round trip; return of each part the place and the holder's id of those whose unique key is taken."""
    try:
        answers = _run(parts)
        if not any(answers):  # Nearly always: all were made.
            return answers
        refused = [number for number, others in enumerate(answers) if others and others[0][1] == b"lanes"]
        if refused:
            open_new_lanes(queue, client())
            for number, others in zip(refused, _run([parts[number] for number in refused]), strict=True):
                answers[number] = others
    except redis.RedisError as error:
        raise _unavailable(error) from error
    return [_holders(part.keys, others) for part, others in zip(parts, answers, strict=True)]


def _write_whole(new: NewGroup, sign: str, parts: Sequence[_Part]) -> bool:
    """Run the scripts of a group as one transaction; return whether it is new."""
    calls = [begin_call(new, sign), *(part.call for part in parts), *_bells(parts)]
    try:
        answer, *answers = run_scripts_whole(client(), calls)[: len(parts) + 1]
    except redis.RedisError as error:
        raise _unavailable(error) from error
    if isinstance(answer, redis.RedisError):
        raise _unavailable(answer) from answer
    is_new = is_begun(new.step, answer)
    # Their lanes were not open yet, or Redis had no more memory just then.
    if refused := [part for part, answer in zip(parts, answers, strict=True) if answer]:
        try:
            _write(new.step.queue, refused)
        except EngineError:
            RedisGroups().drop(new.step.queue, new.job_id)
            raise
    return is_new


def _run(parts: Sequence[_Part]) -> list[Any]:
    """Run the scripts. That of a lane wakes no workers by itself: their bell is the queue's, on another shard maybe."""
    calls = [*[part.call for part in parts], *_bells(parts)]
    answers = run_scripts(client(), calls, raise_errors=False)[: len(parts)]
    for answer in answers:
        if isinstance(answer, redis.RedisError):
            raise answer
    # The jobs are accepted. Without the bell the workers look within a second.
    return answers


def _bells(parts: Sequence[_Part]) -> list[Call]:
    """Return the calls that wake workers for jobs in lanes."""
    laned = [part.keys for part in parts if part.keys.lane is not None]
    if not laned:
        return []
    # One bell wakes all workers.
    return [ring_call(laned[0] if len(laned) == 1 else QueueKeys(laned[0].prefix, laned[0].queue))]


def _unavailable(error: redis.RedisError) -> QueueUnavailable:
    return QueueUnavailable(f"The queue server did not take the job: {error}")


def _holders(keys: QueueKeys, others: Sequence[Any]) -> list[tuple[int, UUID]]:
    for _, outcome, depth in others:
        if outcome == b"lanes":
            raise QueueLanesChanged(f"The number of lanes of queue {keys.queue!r} is being changed: try again soon.")
        if outcome == b"full":
            where = f"Queue {keys.queue!r}" if keys.lane is None else f"Lane {keys.lane} of queue {keys.queue!r}"
            raise QueueFull(f"{where} holds {depth} jobs, which is its limit.")
    return [(place, UUID(holder.decode())) for place, _, holder in others]


def _trips(parts: Sequence[_Part]) -> list[list[_Part]]:
    """Split so that no round trip carries more than about CHUNK_BYTES."""
    trips: list[list[_Part]] = []
    size = 0
    for part in parts:
        if not trips or size + part.size > CHUNK_BYTES:
            trips.append([])
            size = 0
        trips[-1].append(part)
        size += part.size
    return trips
