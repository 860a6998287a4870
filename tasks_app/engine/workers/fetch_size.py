"""The number of jobs that a worker fetches at once, going by those it ran last."""

from __future__ import annotations

import time

from tasks_app.engine.workers.jobs import RunningCall

MAX_FETCHED = 256
# So many jobs are fetched that running them takes about this long, or as long as fetching them took: each turn of a worker
# asks Redis several times, which takes a second where it is far away.
TURN_SECONDS = 0.02
MAX_TURN_SECONDS = 1.0
# Jobs that took longer than those before them are handed back after so long, for workers that have none.
HAND_BACK_SECONDS = 2 * MAX_TURN_SECONDS


class FetchSize:
    """Follows how long jobs take, and how many of a batched task go together."""

    def __init__(self) -> None:
        # None until a job was run.
        self.average_seconds: float | None = None
        self._turn_seconds = TURN_SECONDS
        # Of a batched task, so many jobs are fetched however long they take.
        self._least = 1

    def wanted(self) -> int:
        """Return how many jobs to fetch."""
        if self.average_seconds is None:
            return self._least
        return max(self._least, min(MAX_FETCHED, int(self._turn_seconds / max(self.average_seconds, 1e-6))))

    def note_fetch(self, seconds: float) -> None:
        """Go by how long Redis took to answer just now."""
        self._turn_seconds = min(max(TURN_SECONDS, seconds), MAX_TURN_SECONDS)

    def note(self, ended: RunningCall) -> None:
        """Go by this call from now on, unless it ended a group: that says nothing of the jobs of the queue."""
        if ended.first.is_end_of_group:
            return
        jobs, task = len(ended.attempts), ended.first.task
        elapsed = min((time.monotonic() - ended.began) / jobs, MAX_TURN_SECONDS)
        before = elapsed if self.average_seconds is None else self.average_seconds
        self.average_seconds = before + 0.2 * (elapsed - before)
        if task and task.batch:
            # Twice what went together: the bounds of a batch may have let in fewer than were fetched, and left a rest.
            self._least = min(task.max_batch, max(2 * jobs, self._least // 2))
        else:
            self._least = max(1, self._least // 2)
