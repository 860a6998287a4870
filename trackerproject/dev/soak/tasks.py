"""The jobs of the soak and of the fault tests (loaded with EXTRA_APPS=trackerproject.dev.soak)."""

from __future__ import annotations

import os
import signal
import time

from tasks_app.engine import current_job, task
from trackerproject.dev.soak.ledger import write_effect, write_mark


def _work(seconds: float, note: str) -> bool:
    job = current_job()
    write_mark(str(job.id), job.attempt, "started", note)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        job.raise_if_cancelled()
        time.sleep(min(0.02, seconds))
    return write_effect(str(job.id), job.attempt, note)


@task(queue="positions")
def ledger_job(seconds: float = 0.0, note: str = "") -> bool:
    """Leave a mark, work for some seconds, then have an effect; return whether this attempt was the one that had it."""
    return _work(seconds, note)


@task(queue="notifications")
def ledger_notification(seconds: float = 0.0, note: str = "") -> bool:
    """The same on another queue."""
    return _work(seconds, note)


@task(queue="positions")
def ledger_dies_after_its_effect(note: str = "") -> bool:
    """Write the effect and die before acknowledging it; the second attempt finds the effect."""
    is_first = _work(0.0, note)
    if is_first:
        os.kill(os.getpid(), signal.SIGKILL)
    return is_first
