"""Preparation of a web process."""

from __future__ import annotations

import gc

from django.conf import settings
from django.core.checks import run_checks
from django.core.management.base import SystemCheckError
from django.urls import get_resolver

from tasks_app.process_signals import end_in_order
from trackerproject.database_waits import bound_waits


def settle() -> None:
    """Check the settings, bound waits for PostgreSQL, load every view, and take all that is loaded out of garbage collection.

    Signals that would end the process at once end it in order, or not at all.
    Django checks settings before commands only: raises SystemCheckError, as these do.

    A batch of positions is thousands of small objects and so sets off full collections; each one walked the whole of
    Django too, and made one answer in a hundred 150 ms slower.
    """
    if wrong := [found for found in run_checks(tags=["tasks"]) if found.is_serious()]:
        raise SystemCheckError("\n".join(map(str, wrong)))
    bound_waits(settings.DATABASE_ANSWER_SECONDS)
    _ = get_resolver().url_patterns
    end_in_order()
    gc.collect()
    gc.freeze()
