"""The latest results of schedules."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from tasks_app.engine import JobState

RUNS_SHOWN = 10
# One index entry is read for each run that is returned, however many jobs a schedule has.
_LATEST = """
SELECT wanted.id, latest.id, latest.state, latest.finished_at, latest.error_class, latest.error_message
FROM unnest(%s::bigint[]) AS wanted(id) CROSS JOIN LATERAL (
    SELECT id, state, finished_at, error_class, error_message FROM tasks_app_job
    WHERE schedule_id = wanted.id ORDER BY finished_at DESC LIMIT %s
) AS latest ORDER BY latest.finished_at
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A job of a schedule that ended."""

    job_id: UUID
    state: JobState
    finished_at: datetime
    error: str


def latest_runs(schedule_ids: Collection[int]) -> dict[int, list[Run]]:
    """Return the last RUNS_SHOWN ended jobs of each schedule, the oldest first. One query."""
    found: dict[int, list[Run]] = {one: [] for one in schedule_ids}
    if not found:
        return found
    with connection.cursor() as cursor:
        cursor.execute(_LATEST, [list(found), RUNS_SHOWN])
        for schedule_id, job_id, state, finished_at, error_class, message in cursor.fetchall():
            error = f"{error_class}: {message}"[:300] if error_class else ""
            found[schedule_id].append(Run(job_id, JobState(state), finished_at, error))
    return found
