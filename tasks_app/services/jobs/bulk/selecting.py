"""From the filters of a bulk action to the ids of the jobs that match."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.utils.dateparse import parse_datetime

from tasks_app.engine import JobState
from tasks_app.queries.bulk_counts import states_meant
from tasks_app.queries.jobs import JobFilters, list_jobs


def read_filters(stored: dict[str, Any]) -> JobFilters:
    """Return the filters that were stored with an action."""
    values = dict(stored)
    if "state" in values:
        values["state"] = JobState(values["state"])
    if "parent_id" in values:
        values["parent_id"] = UUID(values["parent_id"])
    for name in ("created_after", "until"):
        if name in values:
            values[name] = parse_datetime(values[name])
    return JobFilters(**values)


def matching_ids(*, user: Any, filters: JobFilters, verb: str) -> Iterator[list[UUID]]:
    """Yield the ids of the jobs that match, page by page; a page may be empty, and a job may come twice."""
    for state in states_meant(verb, filters.state):
        cursor: str | None = ""
        while cursor is not None:
            page = list_jobs(user=user, filters=replace(filters, state=state), limit=200, cursor=cursor or None)
            cursor = page.next_cursor
            yield [job.id for job in page.jobs]
