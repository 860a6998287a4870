"""The four queues: time limits, workers, attempts; and the names for them in the setting TASKS."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import django
import environ

# The backport of django.tasks, which Django 6 has built in.
TASKS_APPS = [] if django.VERSION >= (6, 0) else ["django_tasks"]


def processor_count() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def alt_clusters(
    *, positions: int, reports: int, cleanup: int, notifications: int, position_lanes: int
) -> dict[str, dict[str, Any]]:
    """Q_CLUSTER["ALT_CLUSTERS"] with so many workers each. `timeout` in seconds; `attempts` and `backoff_*` are ours (the
    retry policy of a queue, which a task may override)."""
    return {
        # Lanes keep each device's batches in the order in which they were accepted, on any number of workers.
        "positions": {
            **_queue(workers=positions, timeout=60, attempts=5, backoff=1, backoff_cap=60),
            "lanes": position_lanes,
        },
        "reports": _queue(workers=reports, timeout=900, attempts=2, backoff=30, backoff_cap=30),
        "cleanup": _queue(workers=cleanup, timeout=3600, attempts=2, backoff=60, backoff_cap=60),
        "notifications": _queue(workers=notifications, timeout=60, attempts=8, backoff=5, backoff_cap=3600),
    }


def _queue(*, workers: int, timeout: int, attempts: int, backoff: int, backoff_cap: int) -> dict[str, Any]:
    return {
        "timeout": timeout,
        "workers": workers,
        "attempts": attempts,
        "backoff_seconds": backoff,
        "backoff_cap_seconds": backoff_cap,
    }


def declared_tasks(queues: Sequence[str], env: environ.Env) -> dict[str, dict[str, Any]]:
    """Return TASKS: tasks that apps declare with django.tasks run on these queues, by name or by a queue alias."""
    aliases = {"default": "reports", **env.dict("DJANGO_TASKS_QUEUES", default={})}
    return {
        "default": {
            "BACKEND": "tasks_app.engine.django_tasks.EngineBackend",
            "QUEUES": [*aliases, *queues],
            "OPTIONS": {"QUEUE_ALIASES": aliases, "MODULES": env.list("DJANGO_TASKS_MODULES", default=[])},
        }
    }
