"""Batched tasks: one call of a function serves many waiting jobs. The rules only; a worker carries them out.

A call that raises is repeated in halves, down to single jobs, so that one that cannot succeed fails alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

# A slot names so many running jobs at most. Parts of small batches of positions are three fixes each: a call of 1,024 of them
# stores six fixes of each of 500 devices, and what a device costs once in each call is most of it.
MAX_BATCH_JOBS = 2560
# The messages of one batch, together. One job alone may be larger.
MAX_BATCH_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BatchCall:
    """One job of a batch: its arguments by parameter name, defaults included, and its identity."""

    arguments: dict[str, Any]
    job_id: UUID
    requested_by_id: int | None = None
    attempt: int = 1


# Takes the calls in the order of their jobs; returns a result, or an exception that was not raised, for each of them.
BatchFunction = Callable[[list[BatchCall]], Sequence[Any]]


@dataclass(slots=True)
class Halves:
    """Sizes of the batches at the head of a queue of jobs, left of batches that failed; empty where none did."""

    sizes: list[int] = field(default_factory=list)

    def take(self, at_most: int) -> int:
        """Return how many jobs the next batch may have."""
        return min(at_most, self.sizes.pop(0)) if self.sizes else at_most

    def divide(self, size: int) -> None:
        """Note that a batch of this size failed and its jobs are at the head again: they are tried in two halves."""
        half = size // 2
        self.sizes[:0] = [half, size - half] if half else [size]

    def repeat(self, size: int) -> None:
        """Note that so many jobs are at the head again and are to be tried together."""
        self.sizes.insert(0, size)
