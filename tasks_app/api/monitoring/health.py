"""Is it alive, can it serve, does work get done. Public, and answering even when everything behind is down."""

from __future__ import annotations

from typing import Any

import redis
from django.db import connection
from django.db.utils import InterfaceError, OperationalError
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.schema import describe
from tasks_app.engine.connection import client
from tasks_app.queries.jobs import queue_stats
from tasks_app.utils.redis_client import redis_client

NO_CLUSTER: dict[str, Any] = {"connected": False, "workers": 0, "queues_without_workers": []}


class ClusterSerializer(serializers.Serializer[Any]):
    """The clusters together."""

    connected = serializers.BooleanField(help_text="Some worker sends heartbeats.")
    workers = serializers.IntegerField()
    queues_without_workers = serializers.ListField(child=serializers.CharField())


class HealthSerializer(serializers.Serializer[Any]):
    """Health of the workers, the database and Redis."""

    status = serializers.CharField(help_text="healthy, degraded (some queue has no worker) or unhealthy")
    cluster = ClusterSerializer()
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
        database, queue_server = database_answers(), redis_answers()
        cluster = cluster_health() if queue_server else dict(NO_CLUSTER)
        healthy = database and queue_server and bool(cluster["connected"])
        word = "unhealthy" if not healthy else "degraded" if cluster["queues_without_workers"] else "healthy"
        body = {"status": word, "cluster": cluster, "database": database, "redis": queue_server}
        return Response(body, status=_status(healthy))


class ReadyView(PublicView):
    """Whether this web server can serve: database and Redis answer."""

    @describe(
        "Readiness", name="health_ready", tag="health", answers={200: ReadySerializer, 503: ReadySerializer}, auth=[]
    )
    def get(self, request: Request) -> Response:
        database, queue_server = database_answers(), redis_answers()
        ready = database and queue_server
        body = {"status": "ready" if ready else "not_ready", "database": database, "redis": queue_server}
        return Response(body, status=_status(ready))


class LiveView(PublicView):
    """Whether this process answers at all; touches nothing else."""

    @describe("Liveness", name="health_live", tag="health", answers={200: LiveSerializer}, auth=[])
    def get(self, request: Request) -> Response:
        return Response({"status": "alive"})


def database_answers() -> bool:
    """True when PostgreSQL answers a query."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return cursor.fetchone() == (1,)
    except (OperationalError, InterfaceError):
        return False


def redis_answers() -> bool:
    """True when Redis answers a ping, and that of the queues, too."""
    try:
        return all(each.ping() for each in {client(), redis_client()})
    except redis.RedisError:
        return False


def cluster_health() -> dict[str, Any]:
    """Workers that send heartbeats, and the queues that have none."""
    queues = queue_stats()
    workers = sum(queue.workers for queue in queues)
    return {
        "connected": workers > 0,
        "workers": workers,
        "queues_without_workers": [queue.name for queue in queues if not queue.workers],
    }


def _status(fine: bool) -> int:
    return status.HTTP_200_OK if fine else status.HTTP_503_SERVICE_UNAVAILABLE
