"""The answer of every endpoint that makes a job: 202 with where to look for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from tasks_app.api.scopes import check_commanding, runs_by_operate
from tasks_app.engine import get_task
from tasks_app.services.jobs import start_task


class EnqueuedSerializer(serializers.Serializer[Any]):
    """A job that was made."""

    task_id = serializers.UUIDField()
    task = serializers.CharField()
    queue = serializers.CharField()
    status = serializers.CharField(help_text="queued")
    status_url = serializers.URLField()


def start(request: Request, task_name: str, *args: Any, **kwargs: Any) -> Response:
    """Enqueue for the request's user, with its audit row, and answer. Raises PermissionDenied, the engine's errors."""
    check_commanding(request.auth, runs_by_operate(task_name))
    job_id = start_task(task_name=task_name, args=args, kwargs=kwargs, user=request.user)
    return accepted(request, job_id, task_name)


def enqueue_quietly(request: Request, task_name: str, args: Sequence[Any]) -> UUID:
    """Enqueue without an audit row: for data that comes in by the thousand, whose jobs name their user anyway."""
    return get_task(task_name).apply_async(args, requested_by=request.user)


def accepted(request: Request, job_id: UUID, task_name: str, **more: Any) -> Response:
    """The 202 of a job, with `more` keys in its body."""
    url = reverse("api:task-detail", kwargs={"task_id": job_id}, request=request)
    body = {
        "task_id": str(job_id),
        "task": task_name,
        "queue": get_task(task_name).queue,
        "status": "queued",
        "status_url": url,
        **more,
    }
    return Response(body, status=status.HTTP_202_ACCEPTED, headers={"Location": url})
