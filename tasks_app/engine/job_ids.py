"""Ids of new jobs: random, or within a request that may be repeated the same each time it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID, uuid4, uuid5

from tasks_app.engine.records import job_store


@dataclass(slots=True)
class _Repeatable:
    """A piece of work whose jobs get their ids from `seed`, by their number."""

    seed: UUID
    is_repeat: bool
    made: int = 0


_repeatable: ContextVar[_Repeatable | None] = ContextVar("repeatable", default=None)


@contextmanager
def repeatable_job_ids(seed: UUID, *, is_repeat: bool) -> Iterator[None]:
    """Give the jobs that are made inside the block ids that follow from `seed`, so that making them again makes nothing.

    With `is_repeat` they may have been made before, and may even have ended.
    """
    token = _repeatable.set(_Repeatable(seed, is_repeat))
    try:
        yield
    finally:
        _repeatable.reset(token)


def new_job_id() -> UUID:
    """Return the id of a job that is about to be made."""
    within = _repeatable.get()
    if within is None:
        return uuid4()
    within.made += 1
    return uuid5(within.seed, str(within.made))


def has_ended_before(job_id: UUID) -> bool:
    """Return whether a job of repeated work was made at the first time and has ended: the queues do not know it any more."""
    within = _repeatable.get()
    return within is not None and within.is_repeat and job_store().find_finished(str(job_id)) is not None
