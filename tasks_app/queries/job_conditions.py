"""Searches of jobs as values: the conditions that a job must meet, whether it has ended or lives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q

from tasks_app.engine.job_hash import JobHash
from tasks_app.engine.states import JobState
from tasks_app.queries.job_views import JobView

Holds = Callable[[JobView], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """The demand of a term: on a row, and on a job that lives.

    `reads_message` is False where the view of a live job need not have what only its message holds (arguments, schedule).
    Where it is True, `may_hold` tells jobs for which the term, not negated, cannot hold, without the message being opened.
    """

    of_row: Q
    of_view: Holds
    reads_message: bool = True
    may_hold: Callable[[JobHash], bool] = lambda job: True
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class JobSearch:
    """A search that was understood. What an index answers has a field; None means any."""

    state: JobState | None = None
    queue: str | None = None
    task: str | None = None
    requested_by_id: int | None = None
    # When the job ended; of one that lives, when it was made. The later bound is exclusive.
    after: datetime | None = None
    before: datetime | None = None
    conditions: tuple[Condition, ...] = field(default=())

    def matches(self, view: JobView) -> bool:
        """Whether all terms hold for this job."""
        return (
            self.state in (None, view.state)
            and self.queue in (None, view.queue)
            and self.task in (None, view.task)
            and self.requested_by_id in (None, view.requested_by_id)
            and self._is_within(view.finished_at or view.created_at)
            and all(condition.of_view(view) for condition in self.conditions)
        )

    def may_match(self, job: JobHash) -> bool:
        """Whether the job may match, going by what its hash tells without its message being read."""
        return (
            self.state in (None, job.state)
            and self.queue in (None, job.queue)
            and self.task in (None, job.task)
            and self.requested_by_id in (None, job.requested_by_id)
        )

    def verdict(self, job: JobHash, view: JobView) -> bool | None:
        """Whether all terms hold for a live job, going by its view without its message; None where that must be read."""
        if not self._is_within(view.created_at):
            return False
        is_open = False
        for condition in self.conditions:
            if not condition.reads_message:
                if not condition.of_view(view):
                    return False
            elif condition.may_hold(job):
                is_open = True
            elif not condition.is_negated:
                return False
        return None if is_open else True

    def _is_within(self, at: datetime | None) -> bool:
        after, before = self.after, self.before
        return (after is None or bool(at and at >= after)) and (before is None or bool(at and at < before))


ANY_JOB = JobSearch()
