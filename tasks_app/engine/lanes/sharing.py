"""How the lanes of a queue are shared out among its workers. Pure."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence


def fair_share(consumer: str, workers: Sequence[str], lanes: int) -> int:
    """Return how many lanes are this worker's: the shares of all workers are the lanes, and differ by one at most."""
    names = sorted({*workers, consumer})
    return lanes // len(names) + (names.index(consumer) < lanes % len(names))


def lanes_to_leave(held: Collection[int], share: int) -> list[int]:
    """Return the lanes a worker gives up so that its share is left."""
    return random.sample(sorted(held), max(0, len(held) - share))


def lanes_to_take(free: Collection[int], held_count: int, share: int) -> list[int]:
    """Return the free lanes a worker takes. They are drawn, so that workers that look together seldom want the same."""
    return random.sample(sorted(free), max(0, min(len(free), share - held_count)))
