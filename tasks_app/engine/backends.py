"""Where enqueued jobs go: a backend object, as in Django's mail. Redis, unless `use_backend` puts another in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

from tasks_app.engine.enqueueing import JobOptions, RedisBackend
from tasks_app.engine.groups.redis_groups import Groups, NewGroup


class Backend(Protocol):
    """Interface of a backend: `Task.apply_async` and the other ways to enqueue end here."""

    @property
    def groups(self) -> Groups:
        """Where groups and chains wait for their members."""

    def enqueue(self, queue: str, task_name: str, calls: Sequence[tuple[UUID, str]], options: JobOptions) -> list[UUID]:
        """Make a job for each (id, checked arguments as JSON); return the ids in the same order.

        Safe to call again with the same ids after an error: nothing is made twice. For a unique key that is taken, the id
        is that of its holder. Raises InvalidArguments, PayloadTooLarge, QueueFull, QueueUnavailable.
        """

    def make_whole(self, new: NewGroup, calls: Sequence[tuple[UUID, str]], options: JobOptions) -> bool:
        """Make a group together with its members, which are in lanes; return False where it has to be begun before them.

        Raises as `enqueue`.
        """


_backends: list[Backend] = [RedisBackend()]


def current_backend() -> Backend:
    """Return the backend in use."""
    return _backends[-1]


@contextmanager
def use_backend(backend: Backend) -> Iterator[None]:
    """Enqueue through `backend` inside the block, in every thread. Nests."""
    _backends.append(backend)
    try:
        yield
    finally:
        _backends.remove(backend)
