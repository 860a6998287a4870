"""Tasks that do as little as a task can."""

from __future__ import annotations

import time

from tasks_app.engine import task


@task(queue="positions")
def bench_noop() -> int:
    """Return a small result."""
    return 1


@task(queue="positions")
def bench_started_at() -> float:
    """Return when it began, in seconds since the epoch."""
    return time.time()
