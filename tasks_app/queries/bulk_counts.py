"""Effect of a bulk action before it is asked for: how many jobs of which state it would change, or leave and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from tasks_app.engine import FINAL_STATES, JobState
from tasks_app.models import BulkAction
from tasks_app.queries.jobs import BoundedCount, JobFilters, count_jobs, find_jobs, list_jobs

# So many live jobs of a kind are looked at before the number is "at least".
MAX_LIVE_COUNTED = 10_000
Verb = BulkAction.Verb
# Of jobs that wait for a later time.
LATER_STATES = (JobState.SCHEDULED, JobState.RETRYING)


@dataclass(frozen=True, slots=True)
class StateCount:
    """A number of jobs of one state, None for ids of no job. `code` says why they are left; empty if they are not."""

    state: JobState | None
    count: BoundedCount
    code: str = ""


def states_meant(verb: str, chosen: JobState | None) -> list[JobState]:
    """The states of the jobs that filters mean: the chosen one, else those that have not ended to cancel, failed ones to retry,
    those that wait for a later time to run now.

    What is about to start comes first: a job that moves on while they are read is found in its later state. Those that wait
    for another attempt are read twice, for they go on to be queued, and others come to them from running.
    """
    if chosen:
        return [chosen]
    if verb == Verb.CANCEL:
        return [*LATER_STATES, JobState.QUEUED, JobState.RUNNING, JobState.RETRYING]
    return list(LATER_STATES) if verb == Verb.RUN_NOW else [JobState.FAILED]


def why_left(verb: str, state: JobState) -> str:
    """The code of the reason for which jobs in this state are left as they are, empty for those that are changed."""
    if verb == Verb.RETRY:
        return "" if state in FINAL_STATES else "job_still_live"
    if verb == Verb.RUN_NOW:
        return "" if state in LATER_STATES else "job_not_waiting"
    if state == JobState.CANCELLED:
        return "already_cancelled"
    return "job_already_finished" if state in FINAL_STATES else ""


def count_matching(*, user: Any, filters: JobFilters, verb: str) -> list[StateCount]:
    """Count the jobs that match the filters. Raises InvalidSearch."""
    counts = _matching_counts(user, filters)
    shown = states_meant(verb, filters.state)
    if verb == Verb.CANCEL and not filters.state:
        # Those that ended match as well, and are shown as left.
        shown = list(JobState)
    return [StateCount(state, counts[state], why_left(verb, state)) for state in shown if counts[state].number]


def count_chosen(*, user: Any, job_ids: Sequence[UUID], verb: str) -> list[StateCount]:
    """Count the jobs with these ids."""
    ids = list(dict.fromkeys(job_ids))
    counts = Counter(view.state for view in find_jobs(ids, user=user))
    found = [
        StateCount(state, BoundedCount(counts[state]), why_left(verb, state)) for state in JobState if counts[state]
    ]
    missing = len(ids) - sum(counts.values())
    return [*found, StateCount(None, BoundedCount(missing), "not_found")] if missing else found


def _matching_counts(user: Any, filters: JobFilters) -> dict[JobState, BoundedCount]:
    if not filters.parent_id:
        return count_jobs(user=user, filters=filters, examined=MAX_LIVE_COUNTED)
    counts: Counter[JobState] = Counter()
    cursor: str | None = ""
    while cursor is not None:
        page = list_jobs(user=user, filters=replace(filters, state=None), limit=200, cursor=cursor or None)
        counts.update(view.state for view in page.jobs)
        cursor = page.next_cursor
    return {state: BoundedCount(counts[state]) for state in JobState}
