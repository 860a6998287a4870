"""The state of the background work as a whole: queues, workers, figures."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import StrictSerializer, TimestampField
from tasks_app.api.permissions import HasRightSomewhere
from tasks_app.api.schema import describe
from tasks_app.models import FleetRole
from tasks_app.queries.access import Right
from tasks_app.queries.job_stats import MAX_HOURS, task_stats, throughput
from tasks_app.queries.jobs import job_counts, list_workers, queue_stats
from tasks_app.queries.position_buffer import buffer_stats
from tasks_app.queries.queue_figures import NEWEST_OF_EACH_TASK, QueueFigures, queue_figures
from tasks_app.queries.storage import storage_forecast

NEWEST_TEXT = f"Of the newest {NEWEST_OF_EACH_TASK} jobs of each task in the last hour."


class QueueSerializer(serializers.Serializer[Any]):
    """One queue now."""

    name = serializers.CharField()
    depth = serializers.IntegerField(help_text="Jobs that wait to start.")
    running = serializers.IntegerField()
    scheduled = serializers.IntegerField()
    retrying = serializers.IntegerField()
    oldest_age_seconds = serializers.FloatField(allow_null=True)
    paused = serializers.BooleanField()
    paused_tasks = serializers.DictField(
        child=serializers.IntegerField(), source="put_aside", help_text="Each with how many of its jobs were put aside."
    )
    workers = serializers.IntegerField()
    per_minute = serializers.FloatField()


class WorkerSerializer(serializers.Serializer[Any]):
    """One worker process."""

    name = serializers.CharField()
    host = serializers.CharField()
    pid = serializers.IntegerField()
    queue = serializers.CharField()
    current_task_id = serializers.CharField(source="current_job_id", help_text="Empty while idle.")
    current_task = serializers.CharField(help_text="Empty while idle.")
    heartbeat_age_seconds = serializers.FloatField()
    pulse_age_seconds = serializers.FloatField(
        help_text="How long its process had not run when the heartbeat was sent."
    )
    started_at = serializers.CharField()
    memory_bytes = serializers.IntegerField()
    current_task_started_at = TimestampField(source="current_job_started_at", allow_null=True)
    mode = serializers.ChoiceField(choices=["working", "quiet", "stopping"])
    cluster = serializers.CharField(help_text="<host>:<process id> of its supervisor.")
    most_workers = serializers.IntegerField(help_text="So many workers of this queue its cluster may have.")
    lanes = serializers.ListField(child=serializers.IntegerField(), help_text="Numbers of the lanes that it holds.")


class PositionBufferSerializer(serializers.Serializer[Any]):
    """The buffer of single fixes that wait to be stored."""

    size = serializers.IntegerField(help_text="Fixes that wait to be stored.")
    oldest_age_seconds = serializers.FloatField(allow_null=True)
    limit = serializers.IntegerField(help_text="At so many fixes senders get 503 with Retry-After.")


class QuantilesSerializer(serializers.Serializer[Any]):
    """Median and tail."""

    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)


class LastHourSerializer(serializers.Serializer[Any]):
    """The last hour of a queue, minute by minute, the oldest first."""

    finished = serializers.ListField(child=serializers.IntegerField(), help_text="Jobs that its workers ended.")
    failed = serializers.ListField(child=serializers.IntegerField())
    wait_seconds = QuantilesSerializer(help_text=NEWEST_TEXT)
    run_seconds = QuantilesSerializer(help_text=NEWEST_TEXT)


class QueueWithFiguresSerializer(QueueSerializer):
    """One queue now, and its last hour."""

    last_hour = LastHourSerializer()


class QueuesSerializer(serializers.Serializer[Any]):
    """All queues."""

    results = QueueWithFiguresSerializer(many=True)
    position_buffer = PositionBufferSerializer()


class WorkersSerializer(serializers.Serializer[Any]):
    """All workers."""

    results = WorkerSerializer(many=True)


class StatusSerializer(serializers.Serializer[Any]):
    """Overall."""

    workers = serializers.IntegerField()
    queues = QueueSerializer(many=True)
    last_24_hours = serializers.DictField(child=serializers.IntegerField(), help_text="Finished jobs per final state.")


class TaskStatsSerializer(serializers.Serializer[Any]):
    """The finished jobs of one task."""

    task = serializers.CharField()
    queue = serializers.CharField()
    runs = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failures = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    retried = serializers.IntegerField(help_text="Jobs that took more than one attempt.")
    wait_seconds = QuantilesSerializer()
    run_seconds = QuantilesSerializer()


class ThroughputSerializer(serializers.Serializer[Any]):
    """Jobs that ended within one step of time."""

    start = TimestampField()
    succeeded = serializers.IntegerField()
    failures = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class TableForecastSerializer(serializers.Serializer[Any]):
    """One table with its indexes, all partitions together."""

    table = serializers.CharField()
    rows = serializers.IntegerField(help_text="As PostgreSQL last counted them.")
    size_bytes = serializers.IntegerField()
    rows_per_day = serializers.FloatField(allow_null=True)
    bytes_per_day = serializers.FloatField(allow_null=True, help_text="Null before the second day.")


class StorageSerializer(serializers.Serializer[Any]):
    """How large the database is, and how long its budget lasts."""

    size_bytes = serializers.IntegerField()
    budget_bytes = serializers.IntegerField(help_text="0: none.")
    bytes_per_day = serializers.FloatField(allow_null=True)
    days_left = serializers.FloatField(allow_null=True, help_text="Null: no budget, or no growth. 0: it is reached.")
    tables = TableForecastSerializer(many=True)


class StatsSerializer(serializers.Serializer[Any]):
    """Figures over the last hours."""

    hours = serializers.IntegerField()
    step_seconds = serializers.IntegerField()
    tasks = TaskStatsSerializer(many=True)
    throughput = ThroughputSerializer(many=True)
    storage = StorageSerializer()


class StatsQuery(StrictSerializer):
    """How far back."""

    hours = serializers.IntegerField(min_value=1, max_value=MAX_HOURS, default=24)


def _last_hour(figures: QueueFigures) -> dict[str, Any]:
    names = ("p50", "p95", "p99")
    return {
        "finished": figures.finished,
        "failed": figures.failed,
        "wait_seconds": dict(zip(names, figures.sample.wait_seconds, strict=True)),
        "run_seconds": dict(zip(names, figures.sample.run_seconds, strict=True)),
    }


class StatusView(ApiView):
    """Overall state."""

    permission_classes = [HasRightSomewhere]
    rights = {"GET": Right(FleetRole.VIEWER, "tasks_app.view_job")}

    @describe(
        "Overall: workers, queues, last 24 hours", name="tasks_status", tag="queues", answers={200: StatusSerializer}
    )
    def get(self, request: Request) -> Response:
        queues = queue_stats()
        body = {
            "workers": sum(queue.workers for queue in queues),
            "queues": queues,
            "last_24_hours": job_counts(hours=24),
        }
        return Response(StatusSerializer(body).data)


class QueueListView(ApiView):
    """Queues now."""

    permission_classes = [HasRightSomewhere]
    rights = {"GET": Right(FleetRole.VIEWER, "tasks_app.view_job")}

    @describe("Queues", name="queues_list", tag="queues", answers={200: QueuesSerializer})
    def get(self, request: Request) -> Response:
        figures = queue_figures(now=timezone.now())
        body = {
            "results": [
                {**asdict(queue), "put_aside": queue.put_aside, "last_hour": _last_hour(figures[queue.name])}
                for queue in queue_stats()
            ],
            "position_buffer": buffer_stats(),
        }
        return Response(QueuesSerializer(body).data)


class WorkerListView(ApiView):
    """Worker processes now. Staff only."""

    rights = {"GET": Right(None, "tasks_app.view_job")}

    @describe("Workers (staff)", name="workers_list", tag="queues", answers={200: WorkersSerializer})
    def get(self, request: Request) -> Response:
        return Response(WorkersSerializer({"results": list_workers()}).data)


class StatsView(ApiView):
    """Figures per task. Staff only."""

    rights = {"GET": Right(None, "tasks_app.view_job")}

    @describe(
        "Runs, failures, waits and run times per task (staff)",
        name="tasks_stats",
        tag="queues",
        parameters=[StatsQuery],
        answers={200: StatsSerializer},
    )
    def get(self, request: Request) -> Response:
        hours, now = self.parameters(StatsQuery)["hours"], timezone.now()
        step_seconds, series = throughput(hours=hours, now=now)
        body = {
            "hours": hours,
            "step_seconds": step_seconds,
            "tasks": task_stats(hours=hours, now=now),
            "throughput": series,
            "storage": storage_forecast(now=now),
        }
        return Response(StatsSerializer(body).data)
