"""Values that complete a term of a search of jobs, from what there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from tasks_app.engine.registry import registered_tasks
from tasks_app.engine.states import JobState
from tasks_app.models import Job
from tasks_app.queries.access import visible_devices
from tasks_app.queries.jobs import list_workers

MAX_VALUES = 12
# Errors and hosts are those of the last jobs that ended.
ROWS_READ = 5000


def complete(name: str, part: str, user: Any) -> list[str]:
    """Return at most MAX_VALUES values of a term that hold `part`, for staff that may see all jobs."""
    values = _VALUES.get(name)
    return values(part, user)[:MAX_VALUES] if values else []


def _holding(part: str, values: list[str]) -> list[str]:
    return [value for value in values if part.lower() in value.lower()]


def _last_ended(**wanted: Any) -> QuerySet[Job]:
    return Job.objects.filter(**wanted).order_by("-finished_at")


def _errors(part: str, _user: Any) -> list[str]:
    rows = _last_ended(state=JobState.FAILED).values_list("error_class", flat=True)[:ROWS_READ]
    return _holding(part, sorted({error for error in rows if error}))


def _devices(part: str, user: Any) -> list[str]:
    found = visible_devices(user).filter(Q(name__icontains=part) | Q(unique_id__icontains=part))
    return list(found.order_by("name").values_list("name", flat=True)[:MAX_VALUES])


def _users(part: str, _user: Any) -> list[str]:
    found = User.objects.filter(username__icontains=part).order_by("username")
    return [*_holding(part, ["me", "schedule"]), *found.values_list("username", flat=True)[:MAX_VALUES]]


def _workers(part: str, _user: Any) -> list[str]:
    ended = _last_ended().values_list("worker_host", flat=True)[:ROWS_READ]
    return _holding(part, sorted({*(worker.host for worker in list_workers()), *filter(None, ended)}))


_VALUES: dict[str, Callable[[str, Any], list[str]]] = {
    "task": lambda part, user: _holding(part, [task.name for task in registered_tasks()]),
    "queue": lambda part, user: _holding(part, list(settings.QUEUES)),
    "state": lambda part, user: _holding(part, list(JobState)),
    "error": _errors,
    "args.": lambda part, user: _holding(
        part, sorted({name for task in registered_tasks() for name in task.parameter_names})
    ),
    "device": _devices,
    "by": _users,
    "worker": _workers,
    "after": lambda part, user: _holding(part, ["today", "yesterday", "1h", "24h", "7d"]),
    "before": lambda part, user: _holding(part, ["today", "yesterday", "1h", "24h", "7d"]),
    "longer": lambda part, user: _holding(part, ["10s", "1m", "10m", "1h"]),
}
