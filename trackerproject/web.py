"""Preparation of a web process."""

from __future__ import annotations

import gc

from django.urls import get_resolver


def settle() -> None:
    """Load every view now, then take all that is loaded out of garbage collection.

    A batch of positions is thousands of small objects and so sets off full collections; each one walked the whole of
    Django too, and made one answer in a hundred 150 ms slower.
    """
    _ = get_resolver().url_patterns
    gc.collect()
    gc.freeze()
