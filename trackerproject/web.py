"""Preparation of a web process."""

from __future__ import annotations

import gc

from django.conf import settings
from django.urls import get_resolver

from trackerproject.database_waits import bound_waits


def settle() -> None:
    """Bound waits for PostgreSQL, load every view now, then take all that is loaded out of garbage collection.

    A batch of positions is thousands of small objects and so sets off full collections; each one walked the whole of
    Django too, and made one answer in a hundred 150 ms slower.
    """
    bound_waits(settings.DATABASE_ANSWER_SECONDS)
    _ = get_resolver().url_patterns
    gc.collect()
    gc.freeze()
