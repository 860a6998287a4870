"""Writing the rows of jobs that ended without a worker: cancelled while they waited, or lost too often.

The schedulers do it, and who cancels a job does it at once. Twice is harmless.
"""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import chain

from msgspec.structs import replace

from tasks_app.engine.ended import record_of_hash
from tasks_app.engine.errors import BadPayload
from tasks_app.engine.flow_rows import links_to_keep
from tasks_app.engine.groups.ending import rows_of_parts
from tasks_app.engine.groups.following import follow_stored
from tasks_app.engine.job_hash import JobHash, read_job_hashes
from tasks_app.engine.lanes import queue_parts
from tasks_app.engine.metrics.jobs import JOBS_FINISHED
from tasks_app.engine.payload import unseal
from tasks_app.engine.records import FinishedJob
from tasks_app.engine.redaction import redact_call
from tasks_app.engine.registry import parameter_names, task_label
from tasks_app.engine.states import LIVE_STATES
from tasks_app.engine.storing import store_rows
from tasks_app.engine.streams import JobQueue


def record_ended(queue: JobQueue) -> int:
    """Write the rows of jobs that were cancelled while waiting or lost their worker too often; return how many ended.

    Of a queue with lanes those of the lanes, too.
    """
    parts = queue_parts(queue.name, queue.client)
    pipe = queue.client.pipeline(transaction=False)
    for part in parts:
        pipe.zcard(part.keys.ended)
    return sum(_record_ended(part) for part, count in zip(parts, pipe.execute(), strict=True) if count)


def _record_ended(part: JobQueue) -> int:
    job_ids = part.ended_without_worker()
    if not job_ids:
        return 0
    hashes = read_job_hashes(part.client, [(part.keys, job_id) for job_id in job_ids])
    # A job that lives, or has no hash any more, gets no row.
    ended = [job for job in hashes if job and job.state not in LIVE_STATES]
    store_rows([*chain.from_iterable(map(_rows_of_parts, ended)), *map(ended_record, ended)])
    follow_stored(part.name, {job.job_id: job.message for job in ended})
    # Schedulers tick at the same second, and who cancels a job writes its row, too.
    counted = part.ack_ended(job_ids)
    for job in ended:
        if job.job_id in counted:
            JOBS_FINISHED.add(1, job.queue, task_label(job.task), str(job.state))
    return len(job_ids)


def _rows_of_parts(group: JobHash) -> list[FinishedJob]:
    """Return the rows of the parts that had succeeded when their group was cancelled."""
    if not group.results:
        return []
    with suppress(BadPayload):
        payload = unseal(group.queue, group.job_id, group.message)
        return rows_of_parts(group.queue, group.job_id, payload, group.results)
    return []


def record_all_ended(queue: JobQueue, seconds: float) -> None:
    """Call `record_ended` until no row is left or the time is up; the schedulers of the clusters write the rest."""
    until = time.monotonic() + seconds
    while record_ended(queue) and time.monotonic() < until:
        pass


def ended_record(job: JobHash) -> FinishedJob:
    """Return the row of a job that ended without a worker."""
    record = record_of_hash(job)
    _add_payload(record, job.message)
    if job.is_unsafe_to_store:
        # Any of its details may be what killed the workers that wrote its row.
        return replace(record, attempts=[], progress=None, args=[], kwargs={}, flow=None)
    return record


def _add_payload(record: FinishedJob, message: bytes) -> None:
    try:
        payload = unseal(record.queue, record.job_id, message)
    except BadPayload as error:
        record.error_message = f"{record.error_message} {error}".strip()
        return
    record.args, record.kwargs = redact_call(parameter_names(payload.task), *payload.call)
    record.requested_by_id = payload.requested_by_id
    record.schedule_id = payload.schedule_id
    record.retry_of = payload.retry_of
    record.request_id = payload.request_id or ""
    record.parent_id, record.member_index, record.flow, record.label = links_to_keep(payload)
