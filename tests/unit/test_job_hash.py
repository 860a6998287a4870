"""A job's hash as a typed value, whatever Redis holds in its place."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import redis

from tasks_app.engine.job_hash import JobHash
from tasks_app.engine.states import JobState


def read(answer: object) -> JobHash | None:
    return JobHash.from_redis("positions", "an id", answer)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {b"st": b"succeeded"},
        {b"p": b"message"},
        redis.ResponseError("WRONGTYPE"),
    ],
    ids=["gone", "tombstone", "without a state", "key of another type"],
)
def test_it_is_none_for_what_is_no_job(answer):
    assert read(answer) is None


def test_it_reads_every_field():
    found = read(
        {
            b"st": b"running",
            b"p": b"message",
            b"t": b"probe_add",
            b"pri": b"high",
            b"own": b"host:1:positions:0",
            b"enq": b"1000",
            b"due": b"2000",
            b"t0": b"3000",
            b"att": b"2",
            b"lost": b"1",
            b"why": b"was killed",
            b"wr": b"1",
            b"by": b"7",
            b"cx": b'{"by": 7, "reason": "enough"}',
            b"pr": b'{"current": 1}',
            b"err": b'[{"error_class": "ValueError"}]',
        }
    )
    assert found == JobHash(
        job_id="an id",
        queue="positions",
        lane=None,
        state=JobState.RUNNING,
        message=b"message",
        task="probe_add",
        priority="high",
        owner="host:1:positions:0",
        created_at=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        due_at=datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC),
        started_at=datetime(1970, 1, 1, 0, 0, 3, tzinfo=UTC),
        attempt_count=2,
        loss_count=1,
        loss_reason="was killed",
        is_unsafe_to_store=True,
        requested_by_id=7,
        cancellation={"by": 7, "reason": "enough"},
        progress={"current": 1},
        failures=[{"error_class": "ValueError", "error_message": "", "traceback": ""}],
    )


def test_damaged_fields_read_as_missing_ones():
    found = read({b"st": b"\xff", b"p": b"message", b"enq": b"soon", b"att": b"many", b"cx": b"[", b"err": b"[{"})
    assert found is not None
    assert (found.state, found.created_at, found.attempt_count, found.failures) == (None, None, 0, [])
    # The request for cancellation itself counts, though its reason cannot be read.
    assert found.cancellation == {}
