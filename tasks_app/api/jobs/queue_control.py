"""Pausing, resuming and purging a queue. Staff only; each is audited with its reason."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import ReasonBody
from tasks_app.api.schema import describe
from tasks_app.models import Scope
from tasks_app.queries.job_rights import PAUSE_QUEUES, PURGE_QUEUES
from tasks_app.services.jobs import pause_queue, purge_queue, resume_queue


class QueuePausedSerializer(serializers.Serializer[Any]):
    """Whether workers take jobs from the queue."""

    name = serializers.CharField()
    paused = serializers.BooleanField()


class QueuePurgedSerializer(serializers.Serializer[Any]):
    """How many waiting jobs were cancelled."""

    name = serializers.CharField()
    cancelled = serializers.IntegerField()


class QueueControlView(ApiView):
    """Base of the endpoints of queue control."""

    scopes_to_change = (Scope.OPERATE,)

    rights = {"POST": PAUSE_QUEUES}

    def act(self, service: Any, name: str) -> Any:
        """Call the service for the request's user. Raises QueueNotFound."""
        reason = self.body(ReasonBody)["reason"]
        return service(name=name, user=self.request.user, reason=reason, now=timezone.now())


class QueuePauseView(QueueControlView):
    """Stops workers from taking jobs."""

    @describe(
        "Pause a queue (staff)",
        name="queue_pause",
        tag="queues",
        request=ReasonBody,
        answers={200: QueuePausedSerializer},
        errors=(404,),
        description="Workers of all hosts take nothing more; running jobs go on, jobs may still be added. Again is fine.",
    )
    def post(self, request: Request, name: str) -> Response:
        self.act(pause_queue, name)
        return Response({"name": name, "paused": True})


class QueueResumeView(QueueControlView):
    """Lets workers take jobs again."""

    @describe(
        "Resume a queue (staff)",
        name="queue_resume",
        tag="queues",
        request=ReasonBody,
        answers={200: QueuePausedSerializer},
        errors=(404,),
    )
    def post(self, request: Request, name: str) -> Response:
        self.act(resume_queue, name)
        return Response({"name": name, "paused": False})


class QueuePurgeView(QueueControlView):
    """Cancels all that waits. Needs a permission of its own."""

    rights = {"POST": PURGE_QUEUES}

    @describe(
        "Cancel every waiting job of a queue (staff)",
        name="queue_purge",
        tag="queues",
        request=ReasonBody,
        answers={200: QueuePurgedSerializer},
        errors=(404,),
        description="Queued, scheduled and retrying jobs end as cancelled, each with its row; running jobs go on.",
    )
    def post(self, request: Request, name: str) -> Response:
        return Response({"name": name, "cancelled": self.act(purge_queue, name)})
