"""How many jobs a worker fetches at once."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from tasks_app.engine.workers.fetch_size import MAX_FETCHED, FetchSize


def ended(seconds: float, *, jobs: int = 1, is_end_of_group: bool = False) -> SimpleNamespace:
    """Return a call of so many jobs that ended just now."""
    first = SimpleNamespace(is_end_of_group=is_end_of_group, task=None)
    return SimpleNamespace(attempts=[first] * jobs, first=first, began=time.monotonic() - seconds)


def size_after(*seconds: float, fetch_seconds: float = 0.0) -> int:
    size = FetchSize()
    size.note_fetch(fetch_seconds)
    for one in seconds:
        size.note(ended(one))
    return size.wanted()


@pytest.mark.parametrize(
    ("seconds", "fetch_seconds", "least", "most"),
    [
        ((), 0.0, 1, 1),  # nothing is known of the jobs
        ((0.0,), 0.0, MAX_FETCHED, MAX_FETCHED),
        ((0.004,), 0.0, 4, 5),
        ((0.05,), 0.0, 1, 1),
        ((0.05,), 0.5, 9, 10),  # a far Redis: as long as the answer took
        ((0.05,), 60.0, 19, 20),  # and a second at most
        ((3600.0, *[0.0] * 20), 0.0, 1, 2),  # a long job is no reason to go slowly for ever
        ((0.0, 0.1), 0.0, 1, 1),
    ],
)
def test_it_goes_by_how_long_jobs_and_redis_take(seconds, fetch_seconds, least, most):
    assert least <= size_after(*seconds, fetch_seconds=fetch_seconds) <= most


def test_the_end_of_a_group_says_nothing_of_the_jobs():
    size = FetchSize()
    size.note(ended(10, is_end_of_group=True))
    assert size.average_seconds is None
