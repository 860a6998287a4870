"""Ids of new jobs: random, or within a request that may be repeated the same each time it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID, SafeUUID, uuid5

from tasks_app.engine.records import job_store

# Version and variant of RFC 9562 stand among the random bits.
_VERSION_4 = UUID("00000000-0000-4000-8000-000000000000").int
_RANDOM_BITS = UUID("ffffffff-ffff-0fff-3fff-ffffffffffff").int


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
        return _random_id()
    within.made += 1
    return uuid5(within.seed, str(within.made))


def _random_id() -> UUID:
    """Return what `uuid4` does, in half the time: the constructor of UUID looks at all that its arguments might be."""
    made = UUID.__new__(UUID)
    object.__setattr__(made, "int", int.from_bytes(os.urandom(16), "big") & _RANDOM_BITS | _VERSION_4)
    object.__setattr__(made, "is_safe", SafeUUID.unknown)
    return made


def has_ended_before(job_id: UUID) -> bool:
    """Return whether a job of repeated work was made at the first time and has ended: the queues do not know it any more."""
    within = _repeatable.get()
    return within is not None and within.is_repeat and job_store().find_finished(str(job_id)) is not None
