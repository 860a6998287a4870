"""The end of a group or chain: a worker runs it like a job, whose function combines the results of its members."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec

from tasks_app.engine.arguments import ArgumentChecker
from tasks_app.engine.backends import current_backend
from tasks_app.engine.config import engine_config
from tasks_app.engine.context import current_job
from tasks_app.engine.errors import EngineError, MembersFailed, UnserialisableResult
from tasks_app.engine.flows import CHAIN, Composite, member_id, read_flow
from tasks_app.engine.groups.members import member_ids
from tasks_app.engine.job_fields import datetime_of_ms
from tasks_app.engine.payload import Payload
from tasks_app.engine.records import FinishedJob, job_store
from tasks_app.engine.registered_task import Combine, Task
from tasks_app.engine.registry import get_task
from tasks_app.engine.states import JobState

# Rows that are held in memory at once.
ROWS_AT_ONCE = 200
# A row that cannot be read now can be read later.
MAX_ATTEMPTS = 5

# Each end has a function of its own, all without arguments: looking at a signature takes longer than most ends.
_NO_ARGUMENTS = ArgumentChecker(lambda: None)


class MembersMissing(EngineError):
    """Members of the group have no row (yet): the clean-up has removed them, or the group was queued too early."""

    code = "members_missing"


def ending_task(queue: str, job_id: str, payload: Payload) -> Task[[], Any]:
    """Return the task that ends this group or chain. Raises UnknownTask when the one that combines is gone."""
    composite = payload.flow.composite if payload.flow else None
    if composite is None:
        raise ValueError("not a group")
    combine = get_task(payload.task).combine if composite.is_combined else None

    def end_this() -> Any:
        if not composite.is_split:
            return end(job_id, composite, combine, {})
        (kept,) = current_backend().groups.results(queue, [job_id])
        return end_of_split(queue, job_id, payload, kept)()

    return Task(
        end_this,
        name=payload.task,
        queue=queue,
        timeout_seconds=None,
        max_attempts=MAX_ATTEMPTS,
        schedulable=False,
        permission=None,
        members=None,
        arguments=_NO_ARGUMENTS,
    )


def end_of_split(queue: str, job_id: str, payload: Payload | None, kept: Mapping[int, bytes]) -> Callable[[], Any]:
    """Return the function that ends a call that was split; `kept` are the results of its parts, by number."""

    def end_this() -> Any:
        composite = payload.flow.composite if payload and payload.flow else None
        if payload is None or composite is None:
            raise ValueError("not a group")
        try:
            return end(job_id, composite, get_task(payload.task).combine if composite.is_combined else None, kept)
        except BaseException:
            # When the group is made again, these rows tell which members are not.
            job_store().store_finished(rows_of_parts(queue, job_id, payload, kept))
            raise

    return end_this


def end(job_id: str, composite: Composite, combine: Combine | None, kept: Mapping[int, bytes]) -> Any:
    """Return the result of a group or chain; `kept` are results of members that need no row, by number.

    Raises MembersFailed, MembersMissing, UnserialisableResult, and what `combine` raises.
    """
    # Most calls that are split keep the results of all parts, and need no query.
    ids = counted_ids(job_id, composite, kept) if len(kept) < composite.total else []
    with_rows = [one for index, one in enumerate(ids) if index not in kept]
    _check_ends(with_rows, composite.total)
    if composite.kind == CHAIN:
        return next(_results(ids[-1:]))
    rows = _results(with_rows)
    results = (msgspec.json.decode(kept[index]) if index in kept else next(rows) for index in range(composite.total))
    if combine:
        return combine(zip(composite.indexes or [()] * composite.total, results, strict=True))
    return list(_within_limit(results, composite.total))


def counted_ids(job_id: str, composite: Composite, own: Container[int] = ()) -> list[str]:
    """Return the ids of all members in their order: those of a former group where this one repeats it in part.

    `own` are numbers of members of this one that need no row.
    """
    ids = member_ids(job_id, composite)
    former = composite.repeats
    while former:
        known = {one for page in _pages(ids) for one in job_store().stored_states(page)}
        ids = [one if one in known or index in own else str(member_id(former, index)) for index, one in enumerate(ids)]
        row = job_store().find_finished(former)
        flow = read_flow(row.flow) if row else None
        former = flow.composite.repeats if flow and flow.composite else ""
    return ids


def rows_of_parts(queue: str, job_id: str, payload: Payload, kept: Mapping[int, bytes]) -> list[FinishedJob]:
    """Return a row for each part of a split call whose result its group keeps."""
    created_at, now = datetime_of_ms(payload.created_ms), datetime.now(UTC)
    return [
        FinishedJob(
            job_id=str(member_id(job_id, index)),
            task=payload.task,
            queue=queue,
            state=JobState.SUCCEEDED,
            created_at=created_at or now,
            finished_at=now,
            result=msgspec.json.decode(result),
            attempt_count=1,
            requested_by_id=payload.requested_by_id,
            request_id=payload.request_id or "",
            parent_id=job_id,
            member_index=index,
        )
        for index, result in kept.items()
    ]


def _check_ends(ids: list[str], total: int) -> None:
    """Raise MembersFailed or MembersMissing unless all these members, of so many in all, succeeded."""
    states: dict[str, str] = {}
    for page in _pages(ids):
        states |= job_store().stored_states(page)
    current_job().progress(total - len(ids) + len(states), total, is_shown=bool(ids))
    bad = [one for one in ids if states.get(one, JobState.SUCCEEDED) != JobState.SUCCEEDED]
    if bad:
        row = job_store().find_finished(bad[0])
        reason = f"{row.error_class}: {row.error_message}" if row else "its row is gone"
        raise MembersFailed(f"{len(bad)} of {total} did not succeed. The first, {bad[0]}: {reason}")
    if missing := len(ids) - len(states):
        raise MembersMissing(f"{missing} of {total} members have no row.")


def _results(ids: list[str]) -> Iterator[Any]:
    """Yield the results of these jobs in this order. Raises MembersMissing."""
    for page in _pages(ids):
        found = job_store().find_results(page)
        if len(found) < len(page):
            raise MembersMissing(f"{len(page) - len(found)} members have no row any more.")
        yield from (found[one] for one in page)


def _pages(ids: list[str]) -> Iterator[list[str]]:
    left = iter(ids)
    while page := list(islice(left, ROWS_AT_ONCE)):
        yield page


def _within_limit(results: Iterator[Any], total: int) -> Iterator[Any]:
    """Yield the results. Raises UnserialisableResult when they are too much for one row."""
    limit, size = engine_config().max_result_bytes, 0
    for number, result in enumerate(results, start=1):
        size += len(msgspec.json.encode(result))
        if size > limit:
            raise UnserialisableResult(
                f"The results of {total} members are too large together: {number} of them have {size} bytes, and at most"
                f" {limit} are kept. Return less, or sum them up with @task(combine=...)."
            )
        yield result
