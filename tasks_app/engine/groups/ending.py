"""The end of a group or chain: a worker runs it like a job, whose function combines the results of its members."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from tasks_app.engine.config import engine_config
from tasks_app.engine.context import current_job
from tasks_app.engine.errors import EngineError, MembersFailed, UnserialisableResult
from tasks_app.engine.flows import CHAIN, Composite, member_id, read_flow
from tasks_app.engine.groups.members import member_ids
from tasks_app.engine.payload import Payload
from tasks_app.engine.records import job_store
from tasks_app.engine.registry import Combine, Task, get_task
from tasks_app.engine.states import JobState

# Rows that are held in memory at once.
ROWS_AT_ONCE = 200
# A row that cannot be read now can be read later.
MAX_ATTEMPTS = 5


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
        return end(job_id, composite, combine)

    return Task(
        end_this,
        name=payload.task,
        queue=queue,
        timeout_seconds=None,
        max_attempts=MAX_ATTEMPTS,
        schedulable=False,
        permission=None,
        members=None,
    )


def end(job_id: str, composite: Composite, combine: Combine | None) -> Any:
    """Return the result of a group or chain. Raises MembersFailed, MembersMissing, UnserialisableResult, and what
    `combine` raises."""
    ids = counted_ids(job_id, composite)
    _check_ends(ids, composite)
    if composite.kind == CHAIN:
        return next(_results(ids[-1:]))
    results = _results(ids)
    if combine:
        return combine(zip(composite.indexes or [()] * composite.total, results, strict=True))
    return list(_within_limit(results, composite.total))


def counted_ids(job_id: str, composite: Composite) -> list[str]:
    """Return the ids of all members in their order: those of a former group where this one repeats it in part."""
    ids = member_ids(job_id, composite)
    former = composite.repeats
    while former:
        known = {one for page in _pages(ids) for one in job_store().stored_states(page)}
        ids = [one if one in known else str(member_id(former, index)) for index, one in enumerate(ids)]
        row = job_store().find_finished(former)
        flow = read_flow(row.flow) if row else None
        former = flow.composite.repeats if flow and flow.composite else ""
    return ids


def _check_ends(ids: list[str], composite: Composite) -> None:
    """Raise MembersFailed or MembersMissing unless all succeeded."""
    states: dict[str, str] = {}
    for page in _pages(ids):
        states |= job_store().stored_states(page)
    current_job().progress(len(states), composite.total)
    bad = [one for one in ids if states.get(one, JobState.SUCCEEDED) != JobState.SUCCEEDED]
    if bad:
        row = job_store().find_finished(bad[0])
        reason = f"{row.error_class}: {row.error_message}" if row else "its row is gone"
        raise MembersFailed(f"{len(bad)} of {composite.total} did not succeed. The first, {bad[0]}: {reason}")
    if missing := composite.total - len(states):
        raise MembersMissing(f"{missing} of {composite.total} members have no row.")


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
