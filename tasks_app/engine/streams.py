"""One queue on Redis Streams: the steps of a job's life, each a single indivisible script.

One attempt is one stream id, which is its fence: a job is taken over by acknowledging its entry and adding a new one, after
which the acknowledgement of the former owner finds nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec
import redis

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import RedisClient
from tasks_app.engine.job_fields import is_job_id, read_failures, read_number, read_state, read_text
from tasks_app.engine.keys import ASIDE, GROUP, QueueKeys
from tasks_app.engine.scripts import Call, run_script
from tasks_app.engine.states import JobState

RECOVER_LIMIT = 200
PURGE_LIMIT = 500
# A worker that has seen an earlier entry of the bell finds at least so many later ones.
BELL_ENTRIES = 256


class ClaimedAttempt(msgspec.Struct, frozen=True):
    """An attempt that a worker has begun and not ended; its stream id is its fence. `priority` is 1 (high) to 3 (low)."""

    priority: int
    stream_id: str
    job_id: str
    attempt: int
    lost: int
    created_ms: int
    task: str
    message: bytes
    failures: list[dict[str, Any]]
    lane: int | None = None


class Fetched(msgspec.Struct, frozen=True):
    """Answer of a fetch; `dropped` counts entries that belonged to no attempt any more, or to a paused task."""

    paused: bool
    claims: list[ClaimedAttempt]
    dropped: int = 0


class JobQueue:
    """The operations on one queue, through the given Redis client. Of its lanes only the pause is common."""

    def __init__(self, name: str, client: RedisClient, lane: int | None = None) -> None:
        config = engine_config()
        self.name = name
        self.client = client
        self.keys = QueueKeys(config.prefix, name, lane)
        self._config = config
        self._has_lanes = config.queue(name).lanes > 0
        self._tombstone_ms = int(config.tombstone_seconds * 1000)

    # --- Steps of a worker ---

    def fetch(self, consumer: str, count: int, *, own: bool = False) -> Fetched:
        """Read up to `count` waiting jobs, high priority first, and begin their attempts; never blocks.

        With `own`, begin those that Redis delivered to this consumer before.
        """
        keys = [*self.keys.streams, self.keys.paused, self.keys.paused_tasks]
        paused, started, dropped = self._run("fetch", keys, [self.keys.job_prefix, consumer, count, int(own)])
        return Fetched(bool(paused), [claimed_attempt(*fields) for fields in started], dropped)

    def wait(self, consumer: str, milliseconds: int) -> bool:
        """Block until a job is delivered to this consumer (then `fetch` it with own=True) or the time is up."""
        streams = dict.fromkeys(self.keys.streams, ">")
        try:
            return bool(self.client.xreadgroup(GROUP, consumer, streams, count=1, block=milliseconds))
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            self.create_groups()
            return False

    def create_groups(self) -> None:
        """Create the consumer groups from the beginning of their streams; existing ones are left alone."""
        for stream in self.keys.streams:
            try:
                self.client.xgroup_create(stream, GROUP, id="0", mkstream=True)
            except redis.ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    def finish(self, ended: list[tuple[ClaimedAttempt, JobState]]) -> int:
        """Remove jobs from the queue in their final state; return how many attempts still owned their job."""
        return self._run(*self.finish_call(ended))

    def finish_call(self, ended: list[tuple[ClaimedAttempt, JobState]]) -> Call:
        """Return the script call of `finish`."""
        arguments: list[Any] = [self.keys.job_prefix, self._tombstone_ms]
        for claim, state in ended:
            arguments += (claim.priority, claim.stream_id, claim.job_id, str(state))
        return "finish", [*self.keys.streams, self.keys.done], arguments

    def still_owned(self, claims: list[ClaimedAttempt]) -> set[str]:
        """Return the stream ids of the attempts whose jobs were not taken over."""
        answers = self._run(*self.still_owned_call(claims))
        return {claim.stream_id for claim, is_owned in zip(claims, answers, strict=True) if is_owned}

    def still_owned_call(self, claims: list[ClaimedAttempt]) -> Call:
        """Return the script call of `still_owned`, which answers 1 or 0 for each claim."""
        arguments: list[Any] = [self.keys.job_prefix]
        for claim in claims:
            arguments += (claim.stream_id, claim.job_id)
        return "still_owned", [self.keys.delayed], arguments

    def retry(self, claim: ClaimedAttempt, delay_seconds: float, failures: list[dict[str, Any]]) -> bool:
        """Delay the job of a failed attempt; return False if the attempt no longer owned it."""
        stream = self.keys.streams[claim.priority - 1]
        keys = [stream, self.keys.delayed, self.keys.job(claim.job_id), self.keys.ended]
        arguments = [claim.stream_id, claim.job_id, int(delay_seconds * 1000), json.dumps(failures)]
        return bool(self._run("retry", keys, arguments))

    def release(self, claims: list[ClaimedAttempt]) -> int:
        """Return claims that did not run to the queue; return how many were still owned."""
        released = self._run(*self.release_call(claims))
        self.ring()
        return released

    def release_call(self, claims: list[ClaimedAttempt]) -> Call:
        """Return the script call of `release`."""
        arguments: list[Any] = [self.keys.job_prefix]
        for claim in claims:
            arguments += (claim.priority, claim.stream_id, claim.job_id)
        return "release", [*self.keys.streams, self.keys.ended], arguments

    def progress(self, claims: Sequence[ClaimedAttempt], progress: dict[str, Any] | None) -> list[int]:
        """Write progress; return for each attempt 1 if cancellation was requested, -1 if it lost its job, else 0."""
        answers: list[int] = self._run(*self.progress_call(claims, progress))
        return answers

    def progress_call(self, claims: Sequence[ClaimedAttempt], progress: dict[str, Any] | None) -> Call:
        """Return the script call of `progress`."""
        text = json.dumps(progress) if progress else ""
        keys = [self.keys.job(claim.job_id) for claim in claims]
        return "progress", keys, [text, *(claim.stream_id for claim in claims)]

    def hold_lanes(self, lanes: Collection[int]) -> None:
        """Let no other worker have these lanes before the present transaction ends: there are none here."""

    # --- Control ---

    def cancel(self, job_id: str, by: dict[str, Any]) -> str:
        """Cancel a waiting job, request a running one to stop; return the state after it, "" for an unknown job."""
        return self._run(*self.cancel_call(job_id, by)).decode()

    def cancel_call(self, job_id: str, by: dict[str, Any]) -> Call:
        """Return the script call of `cancel`."""
        keys = [*self.keys.streams, self.keys.delayed, self.keys.job(job_id), self.keys.ended]
        return "cancel", keys, [job_id, json.dumps(by)]

    def watch(self, job_id: str) -> JobState | None:
        """Return the state of a job, and let its end wake `wait_for_end`; None for an unknown job."""
        return read_state(self._run("watch", [self.keys.job(job_id)], []))

    def wait_for_end(self, job_id: str, milliseconds: int) -> None:
        """Block until a job that is watched ends, or the time is up."""
        self.client.xread({self.keys.wake(job_id): "0"}, count=1, block=max(1, milliseconds))

    def run_now(self, job_id: str) -> tuple[bool, str]:
        """Queue a job that waits for a later time; return whether it was moved, and its state after it ('' unknown)."""
        keys = [*self.keys.streams, self.keys.delayed, self.keys.job(job_id)]
        moved, state = self._run("run_now", keys, [job_id])
        self.ring()
        return bool(moved), state.decode()

    def set_priority(self, job_id: str, priority: str) -> tuple[bool, str]:
        """Give a job that waits another priority; return whether it waits with it, and its state ('' unknown)."""
        changed, state = self._run("set_priority", [*self.keys.streams, self.keys.job(job_id)], [job_id, priority])
        return bool(changed), state.decode()

    def purge(self, by: dict[str, Any], limit: int = PURGE_LIMIT) -> Iterator[int]:
        """Cancel every waiting job, at most about `limit` per step; yield how many each step cancelled."""
        keys = [*self.keys.streams, self.keys.delayed, self.keys.ended]
        places: list[Any] = ["0-0", "0-0", "0-0"]
        done = 0
        while not done:
            arguments = [self.keys.job_prefix, json.dumps(by), limit, *places]
            cancelled, *places, done = self._run("purge", keys, arguments)
            yield cancelled

    def pause(self, by: dict[str, Any]) -> None:
        """Stop workers of every host from fetching from this queue; running jobs go on. Survives restarts."""
        self.client.set(self.keys.paused, json.dumps(by))

    def resume(self) -> None:
        """End a pause."""
        self.client.delete(self.keys.paused)

    def pause_task(self, task: str, by: dict[str, Any]) -> None:
        """Stop workers of every host from beginning jobs of this task; the others of the queue go on. Survives restarts."""
        self.client.hset(self.keys.paused_tasks, task, json.dumps(by))

    def resume_task(self, task: str) -> None:
        """End the pause of a task: what was put aside is begun before all that came later."""
        # The mark goes when the last of its jobs is taken up again (see fetch.lua).
        if self.client.hget(self.keys.paused_tasks, task):
            self.client.hset(self.keys.paused_tasks, task, "")
        self.ring()

    def ring(self) -> None:
        """Wake the workers of a queue with lanes: something may be there to run. Others wait at their streams."""
        if self._has_lanes:
            self._run(*ring_call(self.keys))

    # --- Housekeeping ---

    def promote(self, limit: int = 200) -> tuple[int, float | None]:
        """Queue the delayed jobs that are due; return how many, and the seconds until the next one (None: there is none)."""
        moved, next_ms = self._run(*self.promote_call(limit))
        if moved:
            self.ring()
        return moved, None if next_ms < 0 else next_ms / 1000

    def promote_call(self, limit: int = 200) -> Call:
        """Return the script call of `promote`, which answers {moved, ms until the next one or -1}."""
        return "promote", [*self.keys.streams, self.keys.delayed], [self.keys.job_prefix, limit]

    def recover(
        self,
        consumer: str,
        reason: str,
        *,
        dead_after_seconds: float,
        running: Sequence[str] | None,
        written: Sequence[str] = (),
    ) -> tuple[int, int]:
        """Return a dead consumer's jobs to the queue; return (requeued, ended).

        A loss counts for `running`, the jobs it ran (None if unknown), and for `written`, the jobs whose rows it was writing.
        """
        keys = [*self.keys.streams, self.keys.delayed, self.keys.ended, self.keys.beats, self.keys.consumers]
        config = self._config
        requeued = ended = done = 0
        while not done:
            arguments = [
                self.keys.job_prefix,
                consumer,
                reason,
                config.max_worker_losses,
                int(dead_after_seconds * 1000),
                "*" if running is None else ",".join(running),
                RECOVER_LIMIT,
                *written,
            ]
            more_requeued, more_ended, done = self._run("recover", keys, arguments)
            requeued, ended = requeued + more_requeued, ended + more_ended
        if requeued:
            self.ring()
        return requeued, ended

    def beat(self, consumers: dict[str, str]) -> tuple[list[str], tuple[int, int]]:
        """Write heartbeats of these consumers (name -> JSON description).

        Returns the names of those silent for too long, and Redis's TIME (seconds, microseconds).
        """
        arguments: list[Any] = [int(self._config.dead_after_seconds * 1000)]
        for name, description in consumers.items():
            arguments += (name, description)
        silent, seconds, microseconds = self._run("beat", [self.keys.beats, self.keys.consumers], arguments)
        return [read_text(name) for name in silent], (int(seconds), int(microseconds))

    def consumers_without_beat(self, idle_seconds: float) -> list[str]:
        """Return consumers that Redis lists, but which have no heartbeat and were idle for so long."""
        found: set[str] = set()
        for stream in self.keys.streams:
            try:
                listed = self.client.xinfo_consumers(stream, GROUP)
            except redis.ResponseError:
                continue
            found |= {read_text(entry["name"]) for entry in listed if entry["idle"] > idle_seconds * 1000}
        workers = [name for name in found if not name.startswith(ASIDE)]
        return [name for name in workers if self.client.zscore(self.keys.beats, name) is None]

    def ended_without_worker(self, limit: int = 500) -> list[str]:
        """Return the ids of jobs that ended without a worker and have no row yet; remove entries that are no job ids."""
        listed = self.client.zrange(self.keys.ended, 0, limit - 1)
        ids = [job_id for raw in listed if is_job_id(job_id := read_text(raw))]
        if len(ids) < len(listed):
            self.client.zrem(self.keys.ended, *(raw for raw in listed if not is_job_id(read_text(raw))))
        return ids

    def ack_ended(self, job_ids: list[str]) -> set[str]:
        """Leave tombstones of jobs that ended without a worker, after their rows are written.

        Returns the ids of those for which no other process did it before.
        """
        arguments = [self.keys.job_prefix, self._tombstone_ms, *job_ids]
        return set(map(read_text, self._run("ack_ended", [self.keys.ended], arguments)))

    def _run(self, name: str, keys: Sequence[str | bytes], arguments: list[Any]) -> Any:
        return run_script(self.client, name, keys, arguments)


def ring_call(keys: QueueKeys, lane: str = "") -> Call:
    """Return the script call that wakes workers for the lane of these keys, or for another one."""
    if not lane and keys.lane is not None:
        lane = str(keys.lane)
    return "ring", [QueueKeys(keys.prefix, keys.queue).bell], [lane, BELL_ENTRIES]


def claimed_attempt(
    priority: int,
    stream_id: bytes,
    job_id: bytes,
    attempt: int,
    lost: int,
    created_ms: bytes,
    task: bytes,
    message: bytes,
    failures: bytes,
    lane: int | None = None,
) -> ClaimedAttempt:
    """Return a claim from the fields that a script answers."""
    try:
        return ClaimedAttempt(
            priority=priority,
            stream_id=stream_id.decode(),
            job_id=job_id.decode(),
            attempt=attempt,
            lost=lost,
            created_ms=int(created_ms),
            task=task.decode(),
            message=message,
            failures=read_failures(failures) if failures else [],
            lane=lane,
        )
    except ValueError:
        # A field is damaged: it reads as a missing one, so that only this job fails.
        texts = (read_text(job_id).encode(), attempt, lost, b"%d" % read_number(created_ms), read_text(task).encode())
        return claimed_attempt(priority, stream_id, *texts, message, failures, lane)
