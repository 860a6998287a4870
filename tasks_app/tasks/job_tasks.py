"""Tasks about jobs themselves."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from tasks_app.engine import task
from tasks_app.queries.job_rights import may_carry_out
from tasks_app.services.jobs import run_bulk_action

ActionId = Annotated[str, Meta(min_length=36, max_length=36)]


# On whichever of these queues has an idle worker: the jobs to be cancelled may be what keeps the others busy.
@task(
    queue="cleanup",
    other_queues=("reports", "notifications"),
    timeout_seconds=3600,
    max_attempts=5,
    members=may_carry_out,
    startable=False,
)
def change_jobs(action_id: ActionId) -> dict[str, Any]:
    """Cancel or retry the jobs that a person chose together."""
    return run_bulk_action(action_id=action_id)
