"""Changing the priority of a job that waits."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import ReasonBody
from tasks_app.api.schema import describe
from tasks_app.models import Scope
from tasks_app.models.jobs import PRIORITY_CHOICES
from tasks_app.queries.job_rights import CHANGE_JOBS
from tasks_app.services.jobs import change_priority


class PriorityBody(ReasonBody):
    """The new priority, and why."""

    priority = serializers.ChoiceField(choices=[name for name, _label in PRIORITY_CHOICES])


class PrioritySerializer(serializers.Serializer[Any]):
    """The job's state and its new priority."""

    task_id = serializers.UUIDField()
    state = serializers.CharField()
    priority = serializers.CharField()


class JobPriorityView(ApiView):
    """Change the priority of one waiting job. Staff with the permission to change jobs."""

    scopes_to_change = (Scope.OPERATE,)

    rights = {"POST": CHANGE_JOBS}

    @describe(
        "Change the priority of a waiting job (staff)",
        name="task_priority",
        tag="jobs",
        request=PriorityBody,
        answers={200: PrioritySerializer},
        errors=(404, 409),
        description="A queued job moves to the end of that priority's line. A job that runs or has ended is a 409, which names "
        "its state, as are jobs of a lane, which keep their order, and groups.",
    )
    def post(self, request: Request, task_id: UUID) -> Response:
        body = self.body(PriorityBody)
        state = change_priority(job_id=task_id, user=request.user, priority=body["priority"], reason=body["reason"])
        return Response({"task_id": str(task_id), "state": str(state), "priority": body["priority"]})
