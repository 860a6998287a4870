"""Settings of `django.tasks` with our backend and the tasks of a third-party app."""

from __future__ import annotations

MODULE = "tests.support.third_party.tasks"


def configured(**options) -> dict:
    queues = options.pop("QUEUES", ["default", "positions", "reports", "cleanup", "notifications"])
    defaults = {"QUEUE_ALIASES": {"default": "reports"}, "MODULES": [MODULE]}
    return {
        "BACKEND": "tasks_app.engine.django_tasks.EngineBackend",
        "QUEUES": queues,
        "OPTIONS": {**defaults, **options},
    }
