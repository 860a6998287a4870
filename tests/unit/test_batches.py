"""The rules of batched tasks, without a server: halves, which jobs go together, and what a batch function may return."""

from __future__ import annotations

import uuid
from collections import deque
from math import ceil, log2

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tasks_app.engine import InvalidArguments, PermanentError, task
from tasks_app.engine.attempt import Attempt
from tasks_app.engine.batches import MAX_BATCH_JOBS, Halves
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.errors import WrongBatchResult
from tasks_app.engine.inline import inline_claim
from tasks_app.engine.slots import Slots, WorkerSlot
from tasks_app.engine.streams import ClaimedAttempt
from tasks_app.engine.workers.batch_attempts import run_batch, share_secrets, take_next
from tests.support.probe import batched
from tests.support.probe import tasks as probe


def calls_of(jobs: list[str], at_most: int, poison: str) -> tuple[list[str], str]:
    """Run jobs as a worker does; return the calls made, and the jobs in the order in which they ended."""
    waiting, halves, calls, ended = deque(jobs), Halves(), [], ""
    while waiting:
        size = min(halves.take(at_most), len(waiting))
        batch = [waiting.popleft() for _ in range(size)]
        calls.append("".join(batch))
        if size > 1 and set(batch) & set(poison):
            waiting.extendleft(reversed(batch))
            halves.divide(size)
        else:
            ended += "".join(batch)
    return calls, ended


@pytest.mark.parametrize(
    ("jobs", "at_most", "poison", "calls"),
    [
        ("abcd", 10, "", ["abcd"]),
        ("abcd", 3, "", ["abc", "d"]),
        ("a", 3, "a", ["a"]),
        ("ab", 3, "a", ["ab", "a", "b"]),
        ("abcd", 4, "a", ["abcd", "ab", "a", "b", "cd"]),
        ("abcd", 4, "d", ["abcd", "ab", "cd", "c", "d"]),
        ("abcde", 5, "c", ["abcde", "ab", "cde", "c", "de"]),
        ("abcdef", 4, "b", ["abcd", "ab", "a", "b", "cd", "ef"]),
        ("abcd", 4, "abcd", ["abcd", "ab", "a", "b", "cd", "c", "d"]),
    ],
)
def test_a_failed_batch_is_tried_again_in_halves(jobs, at_most, poison, calls):
    assert calls_of(list(jobs), at_most, poison) == (calls, jobs)


@given(st.integers(1, 200), st.integers(2, 64), st.sets(st.integers(0, 199), max_size=4))
def test_poison_is_alone_in_the_end_and_costs_few_calls(count, at_most, poison):
    jobs = [chr(0x4E00 + number) for number in range(count)]
    bad = "".join(jobs[number] for number in poison if number < count)
    calls, ended = calls_of(jobs, at_most, bad)
    assert ended == "".join(jobs)
    assert set(bad) <= set(calls)
    # Each costs two calls per level at most.
    assert len(calls) <= ceil(count / at_most) + len(bad) * 2 * ceil(log2(at_most))


def claim_of(of, *args, lost: int = 0, **options) -> ClaimedAttempt:
    call = (uuid.uuid4(), of.arguments.check(args, {}))
    claim = inline_claim(of.queue, of.name, call, JobOptions(**options), 1)
    return replace(claim, lost=lost)


def forged(claim: ClaimedAttempt) -> ClaimedAttempt:
    return replace(claim, message=b"forged")


def taken(waiting: list[ClaimedAttempt], at_most: int | None = None) -> list[int]:
    """Return the sizes of the batches in which these claims run."""
    left, sizes = deque(waiting), []
    while left:
        halves = Halves([at_most] if at_most else [])
        attempts = take_next("positions", left, halves)
        sizes.append(len(attempts))
    return sizes


def test_jobs_of_one_batched_task_go_together_up_to_its_bounds():
    one = batched.probe_batched
    assert taken([claim_of(one, "a") for _ in range(3)]) == [3]
    assert taken([claim_of(one, "a") for _ in range(one.max_batch + 1)]) == [one.max_batch, 1]
    assert taken([claim_of(one, "a") for _ in range(4)], at_most=3) == [3, 1]
    large = "x" * (one.max_batch_bytes // 2)
    assert taken([claim_of(one, large), claim_of(one, large), claim_of(one, large)]) == [1, 1, 1]
    assert taken([claim_of(one, large), claim_of(one, "a"), claim_of(one, large)]) == [2, 1]
    assert taken([claim_of(one, "x" * one.max_batch_bytes), claim_of(one, "a")]) == [1, 1]


@pytest.mark.parametrize(
    "odd",
    [
        claim_of(probe.probe_note, "of another task"),
        claim_of(batched.probe_batched_other, "of another batched task"),
        claim_of(batched.probe_batched, "a worker died with it", lost=1),
        claim_of(batched.probe_batched, "with a time limit of its own", timeout_seconds=5.0),
        forged(claim_of(batched.probe_batched, "not ours")),
    ],
)
def test_a_job_that_differs_ends_the_batch_and_runs_alone(odd):
    good = claim_of(batched.probe_batched, "a")
    assert taken([good, good, odd, good, good]) == [2, 1, 2]
    assert taken([odd, good]) == [1, 1]


def test_jobs_of_other_tasks_run_one_by_one():
    assert taken([claim_of(probe.probe_note, "a") for _ in range(3)]) == [1, 1, 1]


def attempts_of(*texts: str) -> list[Attempt]:
    waiting = deque(claim_of(batched.probe_batched, text, requested_by_id=7) for text in texts)
    return take_next("positions", waiting, Halves())


def test_each_job_gets_its_own_result_or_error():
    attempts = attempts_of("a", "refuse", "object", "b")
    run_batch(attempts)
    assert [bytes(attempt.result) if attempt.result else None for attempt in attempts] == [b'"A"', None, None, b'"B"']
    failed = [attempt.failed and attempt.failed.error_class for attempt in attempts]
    assert failed == [None, "ValueError", "UnserialisableResult", None]


def test_a_batch_function_gets_arguments_by_name_and_the_identity_of_each_job():
    attempts = attempts_of("a", "b")
    run_batch(attempts)
    first, second = batched.CALLS[-1]
    assert (first.arguments, second.arguments) == ({"text": "a", "times": 1}, {"text": "b", "times": 1})
    assert [str(call.job_id) for call in (first, second)] == [attempt.claim.job_id for attempt in attempts]
    assert (first.requested_by_id, first.attempt) == (7, 1)


@pytest.mark.parametrize("kind", ["short", "long", "none", "text", "generator"])
def test_an_answer_of_another_length_is_an_error_that_no_repetition_helps(kind):
    with pytest.raises(WrongBatchResult, match="for 2 calls"):
        run_batch(attempts_of(f"answer {kind}", "b"))
    assert issubclass(WrongBatchResult, PermanentError)


def test_a_call_that_does_not_fit_its_function_any_more_ends_the_batch():
    attempts = attempts_of("a", "b")
    attempts[1].payload.call[1]["unknown"] = 1
    with pytest.raises(InvalidArguments):
        run_batch(attempts)


def test_hidden_values_of_one_job_are_hidden_in_the_texts_of_all():
    attempts = attempts_of("a", "b")
    attempts[0].hidden = ["hunter2-long"]
    share_secrets(attempts)
    attempts[1].log_lines = ["used hunter2-long"]
    assert "hunter2" not in attempts[1].shown_logs()[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_batch": 5}, "give its function as batch="),
        ({"max_batch_bytes": 5}, "give its function as batch="),
        ({"batch": list, "max_batch": 1}, "from 2 to"),
        ({"batch": list, "max_batch": MAX_BATCH_JOBS + 1}, "from 2 to"),
        ({"batch": list, "max_batch_bytes": 0}, "at least 1"),
    ],
)
def test_bounds_that_no_batch_can_keep_are_refused(options, words):
    with pytest.raises(ImproperlyConfigured, match=words):
        task(queue="positions", **options)


def test_slots_name_all_jobs_of_a_batch():
    slots, ids = Slots(2), [str(uuid.uuid4()) for _ in range(MAX_BATCH_JOBS)]
    slot = WorkerSlot(slots, 1)
    assert slots.running(1) == []
    slot.begin(ids, 12.5)
    assert (slots.running(1), slots.job_id(1), slots.kill_at(1)) == (ids, ids[0], 12.5)
    assert slots.running(0) == []
    slot.end()
    assert slots.running(1) == []
    slot.begin(ids[:1], 1.0)
    assert slots.running(1) == ids[:1]
    slot.begin(ids[:3], 1.0)
    slots.clear(1)
    assert slots.running(1) == []
