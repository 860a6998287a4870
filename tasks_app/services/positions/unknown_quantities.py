"""Counts the quantities of good fixes that could not be right: a receiver with a fault is found by them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from operator import attrgetter

from redis.exceptions import RedisError

from tasks_app.ingest.fix import Fix
from tasks_app.queries.unknown_quantities import unknown_key
from tasks_app.utils.redis_client import redis_client

logger = logging.getLogger(__name__)

# Ways in beside those of FixSource.
BATCH = "batch"
FILE = "file"


def count_unknown(fixes: Iterable[Fix], way: str) -> dict[str, int]:
    """Add up what is unknown of these fixes, for the metrics too; return the counts by quantity."""
    unknown = list(chain.from_iterable(map(attrgetter("unknown"), fixes)))
    if not unknown:
        # Nearly always, and a Counter takes longer than the small batch it counts.
        return {}
    counts = Counter(unknown)
    _remember(counts, way)
    return dict(counts)


def _remember(counts: Counter[str], way: str) -> None:
    pipeline = redis_client().pipeline(transaction=False)
    for quantity, count in counts.items():
        pipeline.hincrby(unknown_key(), f"{way}:{quantity}", count)
    try:
        pipeline.execute()
    except RedisError as error:
        # The fixes are stored or go on; only the metrics lack these.
        logger.warning("Unknown quantities are not counted: %s", error)
