"""Starting a job that waits for a later time at once."""

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
from tasks_app.queries.job_rights import RUN_JOBS_NOW
from tasks_app.services.jobs import run_job_now


class RunNowSerializer(serializers.Serializer[Any]):
    """The state after it: `queued`."""

    task_id = serializers.UUIDField()
    state = serializers.CharField()


class JobRunNowView(ApiView):
    """Start one waiting job. Staff with the permission to run jobs now."""

    scopes_to_change = (Scope.OPERATE,)

    rights = {"POST": RUN_JOBS_NOW}

    @describe(
        "Run a scheduled or retrying job now (staff)",
        name="task_run_now",
        tag="jobs",
        request=ReasonBody,
        answers={200: RunNowSerializer},
        errors=(404, 409),
        description="A job that is queued, running or finished is a 409, which names its state.",
    )
    def post(self, request: Request, task_id: UUID) -> Response:
        reason = self.body(ReasonBody)["reason"]
        state = run_job_now(job_id=task_id, user=request.user, reason=reason)
        return Response({"task_id": str(task_id), "state": str(state)})
