"""The members of a group or chain: their ids, and cancelling them with it."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import RedisClient
from tasks_app.engine.flows import END, ERROR, SUCCESS, Composite, Flow, callback_id, member_id, read_flow
from tasks_app.engine.job_fields import read_number, read_text
from tasks_app.engine.job_hash import JobHash
from tasks_app.engine.lanes import parts_of_jobs
from tasks_app.engine.payload import unseal
from tasks_app.engine.records import FinishedJob, job_store
from tasks_app.engine.scripts import run_scripts
from tasks_app.engine.states import JobState
from tasks_app.engine.streams import JobQueue

# A group may have ten thousand, and a person waits.
MEMBERS_AT_ONCE = 200


def cancel(queue: JobQueue, job_id: str, by: dict[str, Any]) -> str:
    """Cancel a job as `JobQueue.cancel` does, and the members of a group or chain with it.

    A group is asked to stop like a job that runs: it ends when its members have, those that run by themselves.
    """
    state = queue.cancel(job_id, by)
    if state == JobState.RUNNING:
        cancel_members(queue, job_id, by)
    return state


def cancel_members(queue: JobQueue, job_id: str, by: dict[str, Any]) -> None:
    """Cancel the members of a group or chain that have not ended; of another job there are none."""
    ids = [str(member_id(job_id, number)) for number in members_left(queue, job_id)]
    queues = queues_of(queue, job_id) if ids else []
    for first in range(0, len(ids), MEMBERS_AT_ONCE):
        page = ids[first : first + MEMBERS_AT_ONCE]
        parts = parts_of_jobs([one.name for one in queues], queue.client, page)
        calls = [part.cancel_call(member, by) for member, part in parts.items()]
        for (member, part), state in zip(parts.items(), run_scripts(queue.client, calls), strict=True):
            if state == JobState.RUNNING.encode():
                cancel_members(part, member, by)
    for one in queues:
        # Those behind members in lanes may run now.
        one.ring()


def members_left(queue: JobQueue, job_id: str) -> list[int]:
    """Return the numbers of the members that have not ended."""
    return sorted(map(read_number, queue.client.smembers(queue.keys.members(job_id))))


def queues_of(queue: JobQueue, job_id: str) -> list[JobQueue]:
    """Return the queues that the members of a live group are on, its own one first; none for another job."""
    names = read_text(queue.client.hget(queue.keys.job(job_id), "qs")).split(",")
    known = [name for name in names if name in engine_config().queues]
    return [JobQueue(name, queue.client) for name in sorted(known, key=lambda name: name != queue.name)]


def runs_on(queue: JobQueue, job_id: str, name: str) -> bool:
    """Return whether the queue `name` must run a job or a member of it before it can end."""
    return name == queue.name or name in {one.name for one in queues_of(queue, job_id)}


def children_of_live(job: JobHash, client: RedisClient) -> list[str]:
    """Return the ids of the members of a live group, or of the steps of a chain that were made; none of another job.

    Parts that ended without a row are left out, and members whose results are a former group's. Raises BadPayload.
    """
    flow = unseal(job.queue, job.job_id, job.message).flow
    if flow is None or flow.composite is None:
        return []
    # First those that are left: one that ends now has a row before it is noted.
    left = set(members_left(JobQueue(job.queue, client), job.job_id))
    return _with_rows(member_ids(job.job_id, flow.composite), left)


def children_of_ended(row: FinishedJob) -> list[str]:
    """Return the ids of members that have rows, and of the callbacks that were made at the end."""
    flow = read_flow(row.flow)
    if flow is None:
        return []
    members = _with_rows(member_ids(row.job_id, flow.composite)) if flow.composite else []
    return [*members, *_callbacks(row, flow)]


def _with_rows(ids: list[str], left: Container[int] = ()) -> list[str]:
    """Return those of the members that have a row, or whose numbers are among `left`.

    No others: steps of a chain that were never made, parts that left no row, members that succeeded in a former group.
    """
    known = job_store().stored_states(ids)
    return [one for index, one in enumerate(ids) if index in left or one in known]


def _callbacks(row: FinishedJob, flow: Flow) -> list[str]:
    is_success = row.state == JobState.SUCCEEDED
    kind, steps = (SUCCESS, flow.on_success) if is_success else (ERROR, flow.on_error)
    ids = [callback_id(row.job_id, kind, index) for index in range(len(steps))]
    return [str(one) for one in (*ids, *(callback_id(row.job_id, END, index) for index in range(len(flow.on_end))))]


def member_ids(job_id: str, composite: Composite) -> list[str]:
    """Return the ids of all members of a group in their order, made or not."""
    return [str(member_id(job_id, index)) for index in range(composite.total)]
