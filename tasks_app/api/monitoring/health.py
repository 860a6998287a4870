"""Is it alive, can it serve, does work get done. Public, and answering even when everything behind is down."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.schema import describe
from tasks_app.queries.health import SystemHealth, server_health, system_health


class ClusterSerializer(serializers.Serializer[Any]):
    """The clusters together."""

    connected = serializers.BooleanField(help_text="Some worker sends heartbeats.")
    workers = serializers.IntegerField()
    queues_without_workers = serializers.ListField(child=serializers.CharField())
    late_queues = serializers.DictField(
        child=serializers.FloatField(),
        help_text="Age of the oldest waiting job in seconds, of queues that are not paused, where it is more than "
        "HEALTH_MAX_JOB_AGE_SECONDS.",
    )
    scheduler = serializers.BooleanField(help_text="Some scheduler runs.")


class HealthSerializer(serializers.Serializer[Any]):
    """Health of the clusters, the database and Redis."""

    status = serializers.CharField(
        help_text="healthy; degraded (a queue has no workers or is late, no scheduler runs, or no gateway though one is "
        "expected) or unhealthy (a server does not answer, or there are no workers at all), both with 503"
    )
    cluster = ClusterSerializer()
    gateways = serializers.IntegerField(help_text="Gateways that run, to which trackers connect.")
    database = serializers.BooleanField()
    redis = serializers.BooleanField()


class ReadySerializer(serializers.Serializer[Any]):
    """Whether requests can be served."""

    status = serializers.CharField(help_text="ready or not_ready")
    database = serializers.BooleanField()
    redis = serializers.BooleanField()


class LiveSerializer(serializers.Serializer[Any]):
    """The process answers."""

    status = serializers.CharField(help_text="alive")


class PublicView(ApiView):
    """For probes: no login, no throttle (both need the servers whose health is asked for)."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    throttle_classes: list[Any] = []


class HealthView(PublicView):
    """Web server, database, Redis and clusters."""

    @describe(
        "Health of everything",
        name="health",
        tag="health",
        answers={200: HealthSerializer, 503: HealthSerializer},
        auth=[],
    )
    def get(self, request: Request) -> Response:
        health = system_health()
        body = {
            "status": health.word,
            "cluster": _cluster(health),
            "gateways": health.gateway.gateways,
            "database": health.database,
            "redis": health.redis,
        }
        return Response(body, status=_status(health.word == "healthy"))


class ReadyView(PublicView):
    """Whether this web server can serve: database and Redis answer."""

    @describe(
        "Readiness", name="health_ready", tag="health", answers={200: ReadySerializer, 503: ReadySerializer}, auth=[]
    )
    def get(self, request: Request) -> Response:
        health = server_health()
        word = "ready" if health.is_ready else "not_ready"
        body = {"status": word, "database": health.database, "redis": health.redis}
        return Response(body, status=_status(health.is_ready))


class LiveView(PublicView):
    """Whether this process answers at all; touches nothing else."""

    @describe("Liveness", name="health_live", tag="health", answers={200: LiveSerializer}, auth=[])
    def get(self, request: Request) -> Response:
        return Response({"status": "alive"})


def _cluster(health: SystemHealth) -> dict[str, Any]:
    cluster = health.cluster
    return {
        "connected": cluster.workers > 0,
        "workers": cluster.workers,
        "queues_without_workers": cluster.queues_without_workers,
        "late_queues": cluster.late_queues,
        "scheduler": cluster.is_scheduler_running,
    }


def _status(fine: bool) -> int:
    return status.HTTP_200_OK if fine else status.HTTP_503_SERVICE_UNAVAILABLE
