"""Tasks of lanes, whose order a test can see. Their key is their first argument."""

from __future__ import annotations

import time

from django.db import transaction

from tasks_app.engine import current_job, task
from tasks_app.engine.config import engine_config
from tasks_app.engine.lanes import lane_number
from tests.support.probe.ledger import note
from trackerproject.dev.soak.ledger import write_effect, write_mark


def lane_of(key: str) -> int:
    """Return the lane of a key."""
    return lane_number(key, engine_config().queue("positions").lanes)


def by_key(key: str, *args: object, **kwargs: object) -> str | None:
    """Return the lane key; "" as text stands for none."""
    return key or None


@task(queue="positions", lane=by_key)
def lane_note(key: str, text: str) -> None:
    """Write a line to the ledger."""
    note(f"{key} {text}")


@task(queue="positions", lane=by_key, max_attempts=3)
def lane_flaky(key: str, text: str, failures: int) -> None:
    """Write a line to the ledger, after failing so many times."""
    if current_job().attempt <= failures:
        note(f"{key} {text} failed")
        raise ValueError(text)
    note(f"{key} {text}")


@task(queue="positions", lane=by_key)
def lane_effect(key: str, number: int, seconds: float = 0.0, seconds_inside: float = 0.0) -> bool:
    """Have an effect, marked "key number", in a transaction that holds the lane; sleep before it and inside of it."""
    job = current_job()
    write_mark(str(job.id), job.attempt, "started", f"{key} {number}")
    time.sleep(seconds)
    with transaction.atomic():
        job.hold_lane()
        write_mark(str(job.id), job.attempt, "held", f"{key} {number}")
        time.sleep(seconds_inside)
        return write_effect(str(job.id), job.attempt, f"{key} {number}")


@task(queue="positions", lane=lambda key: key)
def lane_any(key: object) -> None:
    """Have a key of any type."""
