"""Rights to act on jobs and queues: one permission for each verb, the same in the API, the admin and the shell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks_app.models import BulkAction
from tasks_app.queries.access import AnyUser, Right, has_everywhere

CANCEL_JOBS = Right(None, "tasks_app.cancel_job")
RETRY_JOBS = Right(None, "tasks_app.retry_job")
RUN_JOBS_NOW = Right(None, "tasks_app.run_job_now")
# Their priority.
CHANGE_JOBS = Right(None, "tasks_app.change_job")
# Also to resume; of one task too.
PAUSE_QUEUES = Right(None, "tasks_app.pause_queue")
PURGE_QUEUES = Right(None, "tasks_app.purge_queue")
CONTROL_WORKERS = Right(None, "tasks_app.control_workers")

# By the verb of a bulk action.
OF_BULK_ACTION = {
    BulkAction.Verb.CANCEL: CANCEL_JOBS,
    BulkAction.Verb.RETRY: RETRY_JOBS,
    BulkAction.Verb.RUN_NOW: RUN_JOBS_NOW,
}


def may_act_in_bulk(user: AnyUser, verb: str) -> bool:
    """Whether `user` may do this to many jobs: who may do it to one may."""
    return has_everywhere(user, OF_BULK_ACTION[BulkAction.Verb(verb)])


def may_carry_out(user: AnyUser, arguments: Mapping[str, Any]) -> bool:
    """The rule of the task that carries out a bulk action: the right of the action's verb."""
    verb = BulkAction.objects.filter(pk=arguments["action_id"]).values_list("verb", flat=True).first()
    return verb is not None and may_act_in_bulk(user, verb)
