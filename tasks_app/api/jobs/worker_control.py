"""Pausing one task of a queue, and orders to workers and clusters. Staff only; each is audited with its reason."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import ReasonBody
from tasks_app.api.schema import describe
from tasks_app.engine import UnknownTask, get_task
from tasks_app.exceptions import TaskNotFound
from tasks_app.models import Scope
from tasks_app.queries.job_rights import CONTROL_WORKERS, PAUSE_QUEUES
from tasks_app.services.jobs import (
    grow_cluster,
    pause_task,
    quiet_worker,
    resume_task,
    shrink_cluster,
    stop_worker,
    wake_worker,
)


class TaskPausedSerializer(serializers.Serializer[Any]):
    """Whether workers begin jobs of the task."""

    queue = serializers.CharField()
    task = serializers.CharField()
    paused = serializers.BooleanField()


class OrderSerializer(serializers.Serializer[Any]):
    """An order that the cluster was given; `GET /api/tasks/workers` tells when it is obeyed, within seconds."""

    order = serializers.ChoiceField(choices=["quiet", "wake", "stop", "grow", "shrink"])
    cluster = serializers.CharField(required=False)
    queue = serializers.CharField(required=False)
    worker = serializers.CharField(required=False)


_describe_order = partial(describe, tag="queues", request=ReasonBody, answers={202: OrderSerializer})
_describe_pause = partial(
    describe, tag="queues", request=ReasonBody, answers={200: TaskPausedSerializer}, errors=(404,)
)


class ControlView(ApiView):
    """Base of these endpoints."""

    scopes_to_change = (Scope.OPERATE,)

    def act(self, service: Any, **subject: str) -> None:
        """Call the service for the request's user. Raises JobError: for nothing of that name, or where it cannot be."""
        reason = self.body(ReasonBody)["reason"]
        service(**subject, user=self.request.user, reason=reason, now=timezone.now())


class TaskControlView(ControlView):
    """Base of pausing and resuming a task."""

    rights = {"POST": PAUSE_QUEUES}

    def act_on_task(self, service: Any, queue: str, task: str, *, paused: bool) -> Response:
        """Call the service for a task of this queue. Raises TaskNotFound for any other."""
        try:
            found = get_task(task)
        except UnknownTask as error:
            raise TaskNotFound from error
        if found.queue != queue:
            raise TaskNotFound
        self.act(service, task=task)
        return Response({"queue": queue, "task": found.name, "paused": paused})


class TaskPauseView(TaskControlView):
    """Stops workers from beginning jobs of a task."""

    @_describe_pause(
        "Pause a task (staff)",
        name="task_pause",
        description="Its jobs keep their places and wait; other tasks of the queue go on. A lane waits at such a job.",
    )
    def post(self, request: Request, name: str, task: str) -> Response:
        return self.act_on_task(pause_task, name, task, paused=True)


class TaskResumeView(TaskControlView):
    """Lets workers begin jobs of a task again."""

    @_describe_pause(
        "Resume a task (staff)",
        name="task_resume",
        description="Jobs that waited run before those that came later.",
    )
    def post(self, request: Request, name: str, task: str) -> Response:
        return self.act_on_task(resume_task, name, task, paused=False)


class WorkerOrderView(ControlView):
    """Base of the orders to one worker."""

    rights = {"POST": CONTROL_WORKERS}
    order: ClassVar[str]
    service: ClassVar[Any]

    def give(self, name: str) -> Response:
        """Give the order, and answer with it."""
        self.act(type(self).service, name=name)
        return Response({"order": self.order, "worker": name}, status=202)


class WorkerQuietView(WorkerOrderView):
    """Lets a worker rest."""

    order, service = "quiet", staticmethod(quiet_worker)

    @_describe_order(
        "Let a worker take no more jobs (staff)",
        name="worker_quiet",
        errors=(404,),
        description="It ends the job it has; its lanes go to other workers.",
    )
    def post(self, request: Request, name: str) -> Response:
        return self.give(name)


class WorkerWakeView(WorkerOrderView):
    """Lets a worker take jobs again."""

    order, service = "wake", staticmethod(wake_worker)

    @_describe_order(
        "Let a worker take jobs again (staff)",
        name="worker_wake",
        errors=(404,),
    )
    def post(self, request: Request, name: str) -> Response:
        return self.give(name)


class WorkerStopView(WorkerOrderView):
    """Ends a worker after its job."""

    order, service = "stop", staticmethod(stop_worker)

    @_describe_order(
        "Stop a worker after the job it has (staff)",
        name="worker_stop",
        errors=(404, 409),
        description="No other takes its place until the cluster starts anew. The last one of a queue in its cluster stays.",
    )
    def post(self, request: Request, name: str) -> Response:
        return self.give(name)


class ClusterGrowView(ControlView):
    """Starts one more worker."""

    rights = {"POST": CONTROL_WORKERS}

    @_describe_order(
        "Let a cluster start one more worker of a queue (staff)",
        name="cluster_grow",
        errors=(404, 409),
        description="Up to four times as many as it starts with.",
    )
    def post(self, request: Request, name: str, queue: str) -> Response:
        self.act(grow_cluster, cluster=name, queue=queue)
        return Response({"order": "grow", "cluster": name, "queue": queue}, status=202)


class ClusterShrinkView(ControlView):
    """Stops one worker."""

    rights = {"POST": CONTROL_WORKERS}

    @_describe_order(
        "Let a cluster stop one worker of a queue (staff)",
        name="cluster_shrink",
        errors=(404, 409),
        description="An idle one if there is any. The last one stays.",
    )
    def post(self, request: Request, name: str, queue: str) -> Response:
        self.act(shrink_cluster, cluster=name, queue=queue)
        return Response({"order": "shrink", "cluster": name, "queue": queue}, status=202)
