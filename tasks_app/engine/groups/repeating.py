"""Making ended jobs again, with their callbacks: a group or chain goes on where it failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tasks_app.engine.errors import NotRepeatable
from tasks_app.engine.flows import CHAIN, NO_CALL, TASK, Composite, Flow, Step, read_flow
from tasks_app.engine.groups.ending import ROWS_AT_ONCE, counted_ids
from tasks_app.engine.groups.following import with_arguments
from tasks_app.engine.groups.making import walk
from tasks_app.engine.records import FinishedJob, job_store
from tasks_app.engine.redaction import is_complete
from tasks_app.engine.registry import get_task
from tasks_app.engine.states import JobState


def step_to_repeat(job_id: str) -> Step:
    """Return a step that makes an ended job again. Of a group or chain, only what did not succeed, unless all did.

    Raises NotRepeatable, UnknownTask, InvalidArguments.
    """
    (step,) = _steps_of([job_id])
    return step


def _steps_of(job_ids: Sequence[str]) -> Iterator[Step]:
    """Yield steps that make these jobs again. Raises as `step_to_repeat` does."""
    for first in range(0, len(job_ids), ROWS_AT_ONCE):
        page = job_ids[first : first + ROWS_AT_ONCE]
        rows = job_store().find_ended(list(page))
        for job_id in page:
            if job_id not in rows:
                raise NotRepeatable(f"Job {job_id} has no row.")
            yield _step_of(rows[job_id])


def _step_of(row: FinishedJob) -> Step:
    flow = read_flow(row.flow) or Flow()
    if not is_complete(row.flow):
        raise NotRepeatable(NotRepeatable.__doc__)
    if flow.composite is None:
        return _call(row, flow)
    return _chain(row, flow, flow.composite) if flow.composite.kind == CHAIN else _group(row, flow, flow.composite)


def calls_in(step: Step) -> Iterator[Step]:
    """Yield the calls of tasks in a step, callbacks included."""
    return (one for one in walk(step) if one.kind == TASK)


def call_of(step: Step) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a step."""
    args, kwargs = msgspec.json.decode(step.call)
    return args, kwargs


def _call(row: FinishedJob, flow: Flow) -> Step:
    if not is_complete([row.args, row.kwargs]):
        raise NotRepeatable(NotRepeatable.__doc__)
    task = get_task(row.task).on_queue(row.queue)
    call = task.arguments.check(row.args, row.kwargs)
    return Step(
        task=task.name,
        queue=task.queue,
        call=msgspec.Raw(call.encode()),
        # It has all of its arguments.
        is_immutable=True,
        lane_key=task.lane_key(row.args, row.kwargs),
        on_success=flow.on_success,
        on_error=flow.on_error,
        on_end=flow.on_end,
    )


def _group(row: FinishedJob, flow: Flow, composite: Composite) -> Step:
    ids = counted_ids(row.job_id, composite)
    numbers = list(range(len(ids)))
    if row.state != JobState.SUCCEEDED:
        states = job_store().stored_states(ids)
        numbers = [number for number in numbers if states.get(ids[number]) != JobState.SUCCEEDED]
    return _again(row, flow, composite, tuple(numbers), tuple(_steps_of([ids[number] for number in numbers])))


def _chain(row: FinishedJob, flow: Flow, composite: Composite) -> Step:
    ids = counted_ids(row.job_id, composite)
    states = job_store().stored_states(ids)
    failed = [number for number, one in enumerate(ids) if states.get(one) != JobState.SUCCEEDED]
    first = failed[0] if failed else 0
    steps = list(composite.steps)
    if ids[first] in states:
        repeated = step_to_repeat(ids[first])
    else:
        before = job_store().find_finished(ids[first - 1]) if first else None
        repeated = with_arguments(steps[first], [before.result]) if before else steps[first]
    steps[first] = repeated
    return _again(row, flow, composite, (first,), tuple(steps))


def _again(
    row: FinishedJob, flow: Flow, composite: Composite, numbers: tuple[int, ...], members: tuple[Step, ...]
) -> Step:
    return Step(
        task=row.task,
        queue=row.queue,
        call=NO_CALL,
        kind=composite.kind,
        is_immutable=True,
        members=members,
        is_combined=composite.is_combined,
        is_split=composite.is_split,
        indexes=composite.indexes,
        on_success=flow.on_success,
        on_error=flow.on_error,
        on_end=flow.on_end,
        repeats=row.job_id,
        total=composite.total,
        numbers=numbers,
    )
