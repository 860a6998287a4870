"""The number of jobs that a worker fetches at once, going by those it ran last."""

from __future__ import annotations

import time

from tasks_app.engine.workers.jobs import RunningCall

MAX_FETCHED = 256
# So many jobs are fetched that running them takes about this long.
TURN_SECONDS = 0.02


class FetchSize:
    """Follows how long jobs take, and how many of a batched task go together."""

    def __init__(self) -> None:
        self.average_seconds = TURN_SECONDS
        # Of a batched task, so many jobs are fetched however long they take.
        self._least = 1

    def wanted(self) -> int:
        """Return how many jobs to fetch."""
        return max(self._least, min(MAX_FETCHED, int(TURN_SECONDS / max(self.average_seconds, 1e-6))))

    def note(self, ended: RunningCall) -> None:
        """Go by this call from now on, unless it ended a group: that says nothing of the jobs of the queue."""
        if ended.first.is_end_of_group:
            return
        jobs, task = len(ended.attempts), ended.first.task
        elapsed = (time.monotonic() - ended.began) / jobs
        self.average_seconds += 0.2 * (elapsed - self.average_seconds)
        if task and task.batch:
            # Twice what went together: the bounds of a batch may have let in fewer than were fetched, and left a rest.
            self._least = min(task.max_batch, max(2 * jobs, self._least // 2))
        else:
            self._least = max(1, self._least // 2)
