"""The hash of a job in Redis as a typed value. `engine.keys` describes its fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from tasks_app.engine.connection import RedisClient
from tasks_app.engine.job_fields import (
    read_failures,
    read_hash,
    read_number,
    read_object,
    read_priority,
    read_state,
    read_text,
    read_timestamp,
)
from tasks_app.engine.keys import QueueKeys
from tasks_app.engine.states import JobState

_RESULT = re.compile(rb"r[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class JobHash:
    """A job as Redis holds it, from enqueueing until its row is written. A damaged field reads as a missing one."""

    job_id: str
    queue: str
    # Number of its lane, None for a job in none.
    lane: int | None
    # None for a state that does not exist.
    state: JobState | None
    message: bytes
    task: str
    priority: str
    # Name of the consumer that runs it, "" for none.
    owner: str
    created_at: datetime | None
    due_at: datetime | None
    started_at: datetime | None
    attempt_count: int
    loss_count: int
    # Signal or exit code of the last worker that died while running it.
    loss_reason: str
    # A worker died while it wrote the row of this job.
    is_unsafe_to_store: bool
    requested_by_id: int | None
    # {by, reason} once a cancellation is requested.
    cancellation: dict[str, Any] | None
    progress: dict[str, Any] | None
    failures: list[dict[str, Any]]
    # Of a group or chain, "" for any other job.
    kind: str = ""
    member_count: int = 0
    # Members that have ended.
    ended_count: int = 0
    # Of the parts of one call, as JSON by number.
    results: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def from_redis(cls, queue: str, job_id: str, answer: Any, lane: int | None = None) -> JobHash | None:
        """Read an answer to HGETALL; None unless it is the hash of a job (not a tombstone, nor a key of another type)."""
        fields = read_hash(answer)
        if "st" not in fields or "p" not in fields:
            return None
        return cls(
            job_id=job_id,
            queue=queue,
            lane=lane,
            state=read_state(fields["st"]),
            message=fields["p"],
            task=read_text(fields.get("t")),
            priority=read_priority(fields.get("pri")),
            owner=read_text(fields.get("own")),
            created_at=read_timestamp(fields.get("enq")),
            due_at=read_timestamp(fields.get("due")),
            started_at=read_timestamp(fields.get("t0")),
            attempt_count=read_number(fields.get("att")),
            loss_count=read_number(fields.get("lost")),
            loss_reason=read_text(fields.get("why")),
            is_unsafe_to_store="wr" in fields,
            requested_by_id=read_number(fields.get("by")) or None,
            cancellation=read_object(fields["cx"]) if "cx" in fields else None,
            progress=read_object(fields.get("pr")) or _progress_of_group(fields),
            failures=read_failures(fields.get("err")),
            kind=read_text(fields.get("kd")),
            member_count=read_number(fields.get("n")),
            ended_count=read_number(fields.get("ok")) + read_number(fields.get("bad")),
            results=_results(answer),
        )


def _results(answer: dict[bytes, bytes]) -> dict[int, bytes]:
    """Return the results of members that a group keeps, by number; none for a job that is no group."""
    if b"kd" not in answer:
        return {}
    found = {int(name[1:]): text for name, text in answer.items() if _RESULT.fullmatch(name)}
    return {number: text for number, text in found.items() if _is_json(text)}


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.MsgspecError:
        return False
    return True


def _progress_of_group(fields: dict[str, bytes]) -> dict[str, Any] | None:
    """Return how many members have ended; None for a job that is no group."""
    if "kd" not in fields:
        return None
    failed = read_number(fields.get("bad"))
    ended = read_number(fields.get("ok")) + failed
    return {"current": ended, "total": read_number(fields.get("n")), "message": f"{failed} failed" if failed else ""}


def read_results(client: RedisClient, keys: QueueKeys, job_ids: Sequence[str]) -> list[dict[int, bytes]]:
    """Read the results that these groups keep, by the numbers of their members, in one round trip; none of one that is gone."""
    pipe = client.pipeline(transaction=False)
    for job_id in job_ids:
        pipe.hgetall(keys.job(job_id))
    answers = pipe.execute(raise_on_error=False)
    return [_results(answer) if isinstance(answer, dict) and b"p" in answer else {} for answer in answers]


def read_job_hashes(client: RedisClient, jobs: Sequence[tuple[QueueKeys, str]]) -> list[JobHash | None]:
    """Read the hashes of these jobs (keys of the queue, job id) in one round trip; None for each that is gone."""
    pipe = client.pipeline(transaction=False)
    for keys, job_id in jobs:
        pipe.hgetall(keys.job(job_id))
    answers = pipe.execute(raise_on_error=False)
    return [
        JobHash.from_redis(keys.queue, job_id, answer, keys.lane)
        for (keys, job_id), answer in zip(jobs, answers, strict=True)
    ]
