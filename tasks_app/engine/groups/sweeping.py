"""Repair of groups and chains, in the scheduler process: a caller died before all members were made, Redis lost a member,
a member ended without a note to its group.

Every step is one that is harmless when it is repeated, so several schedulers may sweep at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

import redis
from django.core.exceptions import ImproperlyConfigured

from tasks_app.engine.backends import current_backend
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.errors import BadPayload, EngineError, QueueUnavailable
from tasks_app.engine.flows import CHAIN, Flow, Membership, Step, member_id
from tasks_app.engine.groups.following import Follower
from tasks_app.engine.groups.making import finish_making, flow_of, make_members
from tasks_app.engine.groups.members import cancel_members, members_left, queues_of
from tasks_app.engine.job_fields import read_text
from tasks_app.engine.job_hash import JobHash, read_job_hashes
from tasks_app.engine.lanes import queue_parts
from tasks_app.engine.payload import Payload, unseal
from tasks_app.engine.records import FinishedJob, job_store
from tasks_app.engine.states import JobState
from tasks_app.engine.storing import store_rows
from tasks_app.engine.streams import JobQueue

logger = logging.getLogger(__name__)

# Nobody waits for a repair that long, and the process that makes a group is not disturbed.
MIN_AGE_SECONDS = 5.0
# All groups are looked at so often, at most, some in each turn.
PASS_SECONDS = 5.0
GROUPS_AT_ONCE = 20
MEMBERS_AT_ONCE = 500


class GroupSweeper:
    """Looks at the live groups of one queue, in the order in which they were made."""

    def __init__(self, queue: JobQueue, *, min_age_seconds: float = MIN_AGE_SECONDS) -> None:
        self._queue = queue
        self._min_age_seconds = min_age_seconds
        self._after = 0
        self._pass_began_at = self._looked_at = float("-inf")

    def turn(self) -> None:
        """Look at groups that were not made whole, and at the next few of all.

        Raises redis.RedisError, EngineError and errors of the database.
        """
        now = time.monotonic()
        if now - self._looked_at >= PASS_SECONDS:
            self._looked_at = now
            # However many wait: of these some members do not exist yet.
            newest = self._newest_microseconds() // 1_000_000
            self._repair(self._queue.client.zrangebyscore(self._queue.keys.making, 0, newest, 0, GROUPS_AT_ONCE))
        if not self._after:
            if now - self._pass_began_at < PASS_SECONDS:
                return
            self._pass_began_at = now
        after, newest = f"({self._after}", self._newest_microseconds()
        found = self._queue.client.zrangebyscore(
            self._queue.keys.groups, after, newest, 0, GROUPS_AT_ONCE, withscores=True
        )
        self._after = int(found[-1][1]) if len(found) == GROUPS_AT_ONCE else 0
        self._repair([group_id for group_id, _ in found])

    def _newest_microseconds(self) -> int:
        """Return the time of the server before which a group must have been made."""
        seconds, microseconds = self._queue.client.time()
        return int((seconds - self._min_age_seconds) * 1_000_000 + microseconds)

    def _repair(self, group_ids: Iterable[bytes]) -> None:
        for group_id in group_ids:
            try:
                repair_group(self._queue, read_text(group_id))
            except (EngineError, ImproperlyConfigured, redis.ResponseError) as error:
                # Those behind it are looked at all the same.
                logger.warning("group %s: %s; trying again", read_text(group_id), error)


def repair_group(queue: JobQueue, group_id: str) -> None:
    """Look at one live group, and do again what was not done. Errors as in `GroupSweeper.turn`."""
    (job,) = read_job_hashes(queue.client, [(queue.keys, group_id)])
    if job is None:
        _forget(queue, group_id)
        return
    membership = Membership(queue.name, group_id)
    try:
        if queue.client.zscore(queue.keys.making, group_id) is not None:
            _finish_making(queue, job, membership)
        if job.cancellation:
            cancel_members(queue, group_id, job.cancellation)
        _repair_members(queue, job, membership)
        # Should Redis have lost which members are left, it ends.
        current_backend().groups.advance(membership, [])
    except QueueUnavailable as error:
        raise redis.ConnectionError(str(error)) from error


def _forget(queue: JobQueue, group_id: str) -> None:
    """Remove the keys of a group whose hash is gone; one that has ended meanwhile has none."""
    keys = queue.keys
    if queue.client.zrem(keys.groups, group_id):
        logger.warning("group %s has no job any more", group_id)
    queue.client.zrem(keys.making, group_id)
    queue.client.delete(keys.members(group_id), keys.plan(group_id))


def _finish_making(queue: JobQueue, job: JobHash, membership: Membership) -> None:
    """Make the members that the caller did not live to make."""
    logger.warning("group %s was not made whole: its members are made now", job.job_id)
    backend = current_backend()
    steps = backend.groups.plan(membership)
    numbers = members_left(queue, job.job_id)
    finish_making(backend, membership, [(index, steps[index]) for index in numbers if index in steps], _options(job))


def _options(job: JobHash) -> JobOptions:
    payload = _payload_of(job)
    return JobOptions(
        requested_by_id=job.requested_by_id,
        schedule_id=payload.schedule_id if payload else None,
        priority=job.priority,
        flow=Flow(label=_label_of(payload)),
        request_id=(payload.request_id or "") if payload else "",
        # The first members wait for it.
        eta=job.due_at,
        is_accepted=True,
    )


def _payload_of(job: JobHash) -> Payload | None:
    """Return the content of the message, None where it cannot be read: the group fails when its members have ended."""
    with suppress(BadPayload):
        return unseal(job.queue, job.job_id, job.message)
    return None


def _label_of(payload: Payload | None) -> str:
    return payload.flow.label if payload and payload.flow else ""


def _repair_members(queue: JobQueue, job: JobHash, membership: Membership) -> None:
    """Note the members that have a row; make or give up those that neither live nor have one."""
    numbers = members_left(queue, job.job_id)[:MEMBERS_AT_ONCE]
    ids = {str(member_id(job.job_id, number)): number for number in numbers}
    live = _live(queue, job.job_id, list(ids))
    rows = job_store().find_ended([one for one in ids if one not in live])
    # Parts without rows are noted before their hashes go: those that are left now have not ended.
    left = set(members_left(queue, job.job_id))
    follower = Follower(current_backend(), store_rows)
    steps: dict[int, Step] | None = None
    for one, number in ids.items():
        if number not in left:
            continue
        if row := rows.get(one):
            # Found by its id: a member whose message cannot be read has a row that names no group.
            row.member_index = number
        elif one not in live:
            row = _lost(queue, job, membership, number, follower)
        if row:
            steps = current_backend().groups.plan(membership) if steps is None else steps
            follower.follow([(_flow_of(membership, steps.get(number)), row)])


def _flow_of(membership: Membership, step: Step | None) -> Flow:
    """Return what follows the end of a member, with its callbacks where they are known."""
    flow = Flow(membership=membership)
    return flow if step is None else flow_of(step, flow) or flow


def _live(queue: JobQueue, group_id: str, ids: list[str]) -> set[str]:
    """Return those of the members that have a hash."""
    found: set[str] = set()
    for one in queue_parts([one.name for one in queues_of(queue, group_id)], queue.client):
        left = [job_id for job_id in ids if job_id not in found]
        pipe = one.client.pipeline(transaction=False)
        for job_id in left:
            pipe.hexists(one.keys.job(job_id), "p")
        answers = pipe.execute(raise_on_error=False)
        found |= {job_id for job_id, answer in zip(left, answers, strict=True) if answer is True or answer == 1}
    return found


def _lost(queue: JobQueue, job: JobHash, membership: Membership, number: int, follower: Follower) -> FinishedJob | None:
    """Make a step of a chain that was not made, or return the row of a member that Redis has lost."""
    step = current_backend().groups.plan(membership).get(number) if job.kind == CHAIN else None
    if step:
        before = job_store().find_finished(str(member_id(job.job_id, number - 1))) if number else None
        if before:
            follower.make_next(membership, number, before)
            return None
        payload = _payload_of(job)
        composite = payload.flow.composite if payload and payload.flow else None
        # A chain that is made again begins with the step that failed, which has all of its arguments.
        if not number or (composite and composite.repeats):
            make_members(current_backend(), membership, [(number, step)], _options(job))
            return None
    logger.warning("member %d of group %s is lost", number, job.job_id)
    return store_rows([_lost_row(queue, job, number)])[0]


def _lost_row(queue: JobQueue, job: JobHash, number: int) -> FinishedJob:
    now = datetime.now(UTC)
    return FinishedJob(
        job_id=str(member_id(job.job_id, number)),
        task=job.task,
        queue=queue.name,
        state=JobState.FAILED,
        created_at=job.created_at or now,
        finished_at=now,
        error_class="JobLost",
        error_message="The queue server lost it before it ended.",
        requested_by_id=job.requested_by_id,
        priority=job.priority,
        parent_id=job.job_id,
        member_index=number,
        label=_label_of(_payload_of(job)),
    )
