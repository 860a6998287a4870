"""Ids of new jobs: random, or within a request that may be repeated the same each time it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from os import urandom
from uuid import UUID, SafeUUID, uuid5

from tasks_app.engine.records import job_store


@dataclass(slots=True)
class _Repeatable:
    """A piece of work whose jobs get their ids from `seed`, by their number."""

    seed: UUID
    is_repeat: bool
    made: int = 0


# UUIDs refuse to be changed.
_set = object.__setattr__
_VERSION_4 = 4 << 76 | 2 << 62
_RANDOM_BITS = ~(15 << 76 | 3 << 62)

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
    """Return a UUID of version 4 (RFC 9562), without its constructor, which takes longer than the rest."""
    job_id = object.__new__(UUID)
    _set(job_id, "int", int.from_bytes(urandom(16), "big") & _RANDOM_BITS | _VERSION_4)
    _set(job_id, "is_safe", SafeUUID.unknown)
    return job_id


def has_ended_before(job_id: UUID) -> bool:
    """Return whether a job of repeated work was made at the first time and has ended: the queues do not know it any more."""
    within = _repeatable.get()
    return within is not None and within.is_repeat and job_store().find_finished(str(job_id)) is not None
