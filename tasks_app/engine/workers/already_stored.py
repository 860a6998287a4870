"""Jobs that have a row when a worker fetches them: it had been stored by one that died, or they were put back afterwards."""

from __future__ import annotations

import logging

from tasks_app.engine.groups.following import follow_stored
from tasks_app.engine.job_fields import are_job_ids, is_job_id
from tasks_app.engine.records import job_store
from tasks_app.engine.states import JobState
from tasks_app.engine.streams import ClaimedAttempt, JobQueue

logger = logging.getLogger(__name__)


def without_stored(queue: JobQueue, claims: list[ClaimedAttempt]) -> list[ClaimedAttempt]:
    """Acknowledge the jobs that have a row, without running them again; return the others.

    A worker that died had stored their end, or a signed message was put back after its job had ended.
    """
    ids = [claim.job_id for claim in claims]
    proper = ids if are_job_ids(ids) else list(filter(is_job_id, ids))
    states = job_store().stored_states(proper)
    if not states and proper is ids:
        return claims
    ended = [claim for claim in claims if claim.job_id in states or not is_job_id(claim.job_id)]
    logger.warning("not run, for they have ended or have no proper ids: %s", [claim.job_id for claim in ended])
    follow_stored(queue.name, {claim.job_id: claim.message for claim in ended if claim.job_id in states})
    queue.finish([(claim, JobState(states.get(claim.job_id, JobState.FAILED))) for claim in ended])
    return [claim for claim in claims if claim not in ended]
