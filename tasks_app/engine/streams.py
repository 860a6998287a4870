"""One queue on Redis Streams: every step of a job's life there, each a single indivisible script.

One attempt is one stream id. Whoever takes a job over acknowledges the old entry and adds a new one, so that the former
owner's acknowledgement finds nothing: the stream id is the fence.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import redis

from tasks_app.engine.config import engine_config
from tasks_app.engine.keys import GROUP, QueueKeys
from tasks_app.engine.scripts import script
from tasks_app.engine.states import JobState

RECOVER_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Delivery:
    """An attempt that has begun: its stream id is what it must present to finish."""

    job_id: str
    stream_id: str
    attempt: int
    lost: int
    created_ms: int
    message: bytes
    failures: list[dict[str, Any]]


class JobQueue:
    """The operations on one queue, through the given Redis client."""

    def __init__(self, name: str, client: redis.Redis) -> None:
        config = engine_config()
        self.name = name
        self.client = client
        self.keys = QueueKeys(config.prefix, name)
        self._config = config
        self._tombstone_ms = int(config.tombstone_seconds * 1000)

    def create_group(self) -> None:
        """Create the consumer group from the beginning of the stream; an existing one is left alone."""
        try:
            self.client.xgroup_create(self.keys.stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def read(self, consumer: str, count: int, block_ms: int | None, *, own: bool = False) -> list[tuple[str, str]]:
        """Return up to `count` (stream id, job id): new entries, or with `own` those this consumer holds already."""
        streams = {self.keys.stream: "0" if own else ">"}
        try:
            answer = self.client.xreadgroup(GROUP, consumer, streams, count=count, block=block_ms)
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            self.create_group()
            return []
        entries = _stream_entries(answer)
        return [(sid.decode(), fields[b"i"].decode()) for sid, fields in entries if fields]

    def start(self, consumer: str, entries: list[tuple[str, str]]) -> list[Delivery]:
        """Begin the attempts of these entries; those that are no longer to be run are dropped."""
        arguments: list[str] = [self.keys.job_prefix, consumer]
        for stream_id, job_id in entries:
            arguments += (stream_id, job_id)
        started = self._run("start", [self.keys.stream], arguments)
        return [
            Delivery(
                job_id=job_id.decode(),
                stream_id=stream_id.decode(),
                attempt=attempt,
                lost=lost,
                created_ms=int(created_ms or 0),
                message=message,
                failures=json.loads(failures) if failures else [],
            )
            for job_id, stream_id, attempt, lost, created_ms, message, failures in started
        ]

    def finish(self, ended: list[tuple[str, str, JobState]]) -> int:
        """Take (stream id, job id, final state) off the queue; return how many attempts still owned their job."""
        arguments: list[Any] = [self.keys.job_prefix, self._tombstone_ms]
        for stream_id, job_id, state in ended:
            arguments += (stream_id, job_id, str(state))
        return self._run("finish", [self.keys.stream, self.keys.done], arguments)

    def retry(self, stream_id: str, job_id: str, delay_seconds: float, failures: list[dict[str, Any]]) -> bool:
        """Put the job of a failed attempt back for later; False when the attempt no longer owned it."""
        keys = [self.keys.stream, self.keys.delayed, self.keys.job(job_id)]
        return bool(self._run("retry", keys, [stream_id, job_id, int(delay_seconds * 1000), json.dumps(failures)]))

    def release(self, entries: list[tuple[str, str]]) -> int:
        """Hand (stream id, job id) back that were read but never ran."""
        arguments: list[str] = [self.keys.job_prefix]
        for stream_id, job_id in entries:
            arguments += (stream_id, job_id)
        return self._run("release", [self.keys.stream], arguments)

    def promote(self, limit: int = 200) -> tuple[int, float | None]:
        """Queue the delayed jobs that are due; return how many, and the seconds until the next one (None: there is none)."""
        moved, next_ms = self._run("promote", [self.keys.delayed, self.keys.stream], [self.keys.job_prefix, limit])
        return moved, None if next_ms < 0 else next_ms / 1000

    def cancel(self, job_id: str, by: dict[str, Any]) -> str:
        """Cancel a waiting job, ask a running one to stop; return the state after it, '' for an unknown job."""
        keys = [self.keys.stream, self.keys.delayed, self.keys.job(job_id), self.keys.ended]
        return self._run("cancel", keys, [job_id, json.dumps(by)]).decode()

    def recover(self, consumer: str, reason: str, *, dead_after_seconds: float, job_id: str) -> tuple[int, int]:
        """Give a dead consumer's jobs back; return (requeued, ended). `job_id`: the one it was on, '' when unknown."""
        keys = [self.keys.stream, self.keys.delayed, self.keys.ended, self.keys.beats, self.keys.consumers]
        config = self._config
        requeued = ended = done = 0
        while not done:
            arguments = [
                self.keys.job_prefix,
                consumer,
                reason,
                config.max_worker_losses,
                int(dead_after_seconds * 1000),
                job_id,
                RECOVER_LIMIT,
            ]
            more_requeued, more_ended, done = self._run("recover", keys, arguments)
            requeued, ended = requeued + more_requeued, ended + more_ended
        return requeued, ended

    def beat(self, consumers: dict[str, str]) -> list[str]:
        """Say that these consumers (name -> JSON description) live; return the names of those silent for too long."""
        arguments: list[Any] = [int(self._config.dead_after_seconds * 1000)]
        for name, description in consumers.items():
            arguments += (name, description)
        silent = self._run("beat", [self.keys.beats, self.keys.consumers], arguments)
        return [name.decode() for name in silent]

    def progress(self, delivery: Delivery, progress: dict[str, Any] | None) -> int:
        """Note progress; return 1 when cancellation was asked for, -1 when the attempt lost its job, else 0."""
        text = json.dumps(progress) if progress else ""
        return self._run("progress", [self.keys.job(delivery.job_id)], [delivery.stream_id, text])

    def ended_without_worker(self, limit: int = 200) -> list[str]:
        """Ids of jobs that ended outside of a worker and have no row yet."""
        return [job_id.decode() for job_id in self.client.zrange(self.keys.ended, 0, limit - 1)]

    def forget_ended(self, job_ids: list[str]) -> None:
        """Call once their rows are written."""
        self._run("forget", [self.keys.ended], [self.keys.job_prefix, self._tombstone_ms, *job_ids])

    def _run(self, name: str, keys: list[str], arguments: list[Any]) -> Any:
        return script(self.client, name)(keys=keys, args=arguments)


def _stream_entries(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The entries of the one stream asked for, whatever shape the protocol version gives the answer."""
    if not answer:
        return []
    if isinstance(answer, dict):
        (found,) = answer.values()
        return found[0] if found and isinstance(found[0], list) else found
    return answer[0][1]
