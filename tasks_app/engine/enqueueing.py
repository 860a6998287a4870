"""Writing new jobs into Redis. No other module makes a job hash."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from secrets import token_hex
from typing import Any, NamedTuple
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
from tasks_app.engine.groups.redis_groups import Groups, NewGroup, RedisGroups, begin_call, is_begun
from tasks_app.engine.keys import PRIORITIES, QueueKeys
from tasks_app.engine.lanes import lane_number, open_new_lanes
from tasks_app.engine.metrics.jobs import JOBS_ENQUEUED
from tasks_app.engine.payload import Envelope, Payload
from tasks_app.engine.redis_cluster import RedisClusterClient
from tasks_app.engine.scripts import Call, run_scripts, run_scripts_whole
from tasks_app.engine.streams import BELL_ENTRIES, ring_call
from tasks_app.tracing import is_tracing, span, trace_here

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
            request_id=self.request_to_note(),
            trace=self.trace_to_note(),
        )
        return Envelope(queue, payload)


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
        parts = _all_parts(queue, task_name, calls, options, sign)
        if sum(part.size for part in parts) > CHUNK_BYTES:
            return False
        group_key = QueueKeys(engine_config().prefix, queue).job(new.job_id)
        if _write_whole(new, sign, [part.of_group(group_key) for part in parts]):
            JOBS_ENQUEUED.add(len(calls), queue, task_name)
        return True

    def _enqueue(
        self, queue: str, task_name: str, calls: Sequence[tuple[UUID, str]], options: JobOptions
    ) -> list[UUID]:
        made = [job_id for job_id, _ in calls]
        count = len(calls)
        for trip in _trips(_all_parts(queue, task_name, calls, options)):
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


class _Part(NamedTuple):
    """Jobs that one call of a script makes, whole or not at all, and their places among all."""

    keys: QueueKeys
    call: Call
    places: Sequence[int]
    size: int

    def of_group(self, group_key: str) -> _Part:
        """Return the part as one that is made only if the group is begun in the same transaction."""
        name, keys, arguments = self.call
        return self._replace(call=(name, (*keys, group_key), arguments))


def _all_parts(
    queue: str, task_name: str, calls: Sequence[tuple[UUID, str]], options: JobOptions, sign: str = ""
) -> list[_Part]:
    """Return the script calls that make these jobs. Raises PayloadTooLarge."""
    config = engine_config()
    lanes = config.queue(queue).lanes
    now_ms = options.created_ms or time.time_ns() // 1_000_000
    envelope = options.envelope(queue, task_name, now_ms)
    members = options.member_indexes or [None] * len(calls)
    messages = [
        (name := str(job_id), _seal_within(config.max_payload_bytes, envelope, name, call, member))
        for (job_id, call), member in zip(calls, members, strict=True)
    ]
    parts: list[_Part] = []
    for lane, places in _places(options, len(calls), lanes).items():
        keys, script = _script_of(queue, lane, task_name, now_ms, options, sign)
        uniques = options.unique_keys
        sealed = [
            (*messages[place], keys.unique(uniques[place]) if uniques and uniques[place] else "") for place in places
        ]
        parts += _parts(keys, script, sealed, places)
    return parts


def _places(options: JobOptions, count: int, lanes: int) -> dict[int | None, Sequence[int]]:
    """Return the jobs, by their place among all, of each lane; under None those in no lane."""
    if not lanes or not options.lane_keys:
        return {None: range(count)}
    places: dict[int | None, list[int]] = {}
    for place, key in enumerate(options.lane_keys):
        places.setdefault(lane_number(key, lanes) if key else None, []).append(place)
    return dict(places)


def _script_of(
    queue: str, lane: int | None, task_name: str, now_ms: int, options: JobOptions, sign: str
) -> tuple[QueueKeys, Call]:
    """Return the keys of the jobs, and the call of the script that makes them, with the arguments they have in common."""
    config = engine_config()
    keys, script_keys = _keys(config.prefix, queue, lane)
    lanes, by = config.queue(queue).lanes, options.requested_by_id or ""
    common = [keys.job_prefix, task_name, now_ms, options.due_ms(now_ms)]
    if lane is None:
        depth = NO_LIMIT if options.is_accepted else config.max_queue_depth
        if lanes:
            script_keys = (*script_keys, keys.bell)
        return keys, ("enqueue", script_keys, [*common, depth, by, UNIQUE_TTL_MS, options.priority, BELL_ENTRIES])
    depth = NO_LIMIT if options.is_accepted else -(-config.max_queue_depth // lanes)
    return keys, ("lane_enqueue", script_keys, [*common, depth, by, UNIQUE_TTL_MS, lanes, sign])


@lru_cache(maxsize=1024)
def _keys(prefix: str, queue: str, lane: int | None) -> tuple[QueueKeys, tuple[str, ...]]:
    keys = QueueKeys(prefix, queue, lane)
    return keys, tuple(keys.lane_keys) if lane is not None else (*keys.streams, keys.delayed)


def _write(queue: str, parts: Sequence[_Part]) -> list[list[tuple[int, UUID]]]:
    """Make the jobs in one round trip; return of each part the place and the holder's id of those whose unique key is taken."""
    try:
        answers = _run(parts)
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
    calls = [*(part.call for part in parts), *_bells(parts)]
    answers = run_scripts(client(), calls, raise_errors=False)[: len(parts)]
    for answer in answers:
        if isinstance(answer, redis.RedisError):
            raise answer
    # The jobs are accepted. Without the bell the workers look within a second.
    return answers


def _bells(parts: Sequence[_Part]) -> list[Call]:
    """Return the calls that wake workers for jobs in lanes."""
    laned = [part.keys for part in parts if part.keys.lane is not None]
    if len(laned) > 1:
        # One bell wakes all workers, as for jobs in no lane.
        laned = [QueueKeys(laned[0].prefix, laned[0].queue)]
    return [ring_call(keys) for keys in laned]


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


def _seal_within(limit: int, envelope: Envelope, job_id: str, call_json: str, member_index: int | None) -> bytes:
    message = envelope.seal(job_id, call_json, member_index)
    if len(message) > limit:
        raise PayloadTooLarge(f"{len(message)} bytes of arguments; at most {limit} are allowed.")
    return message


def _parts(keys: QueueKeys, script: Call, sealed: Sequence[Sealed], places: Sequence[int]) -> Iterator[_Part]:
    """Split so that no script call makes more than CHUNK_JOBS jobs or about CHUNK_BYTES: Redis runs one at a time."""
    name, script_keys, common = script
    begin, arguments, size = 0, list(common), 0
    for number, one in enumerate(sealed):
        if number > begin and (number - begin >= CHUNK_JOBS or size + len(one[1]) > CHUNK_BYTES):
            yield _Part(keys, (name, script_keys, arguments), places[begin:number], size)
            begin, arguments, size = number, list(common), 0
        arguments += one
        size += len(one[1])
    if sealed:
        yield _Part(keys, (name, script_keys, arguments), places[begin:], size)


def _trips(parts: Iterable[_Part]) -> Iterator[list[_Part]]:
    """Split so that no round trip carries more than about CHUNK_BYTES."""
    trip: list[_Part] = []
    for part in parts:
        if trip and sum(one.size for one in trip) + part.size > CHUNK_BYTES:
            yield trip
            trip = []
        trip.append(part)
    if trip:
        yield trip
