"""Health of the servers, the clusters and the scheduler, each asked for a second at most."""

from __future__ import annotations

from dataclasses import dataclass, field

import redis
from django.conf import settings
from django.db import close_old_connections, connection
from django.db.utils import InterfaceError, OperationalError

from tasks_app.engine.clusters.scheduler import is_scheduler_running
from tasks_app.engine.connection import client
from tasks_app.queries.jobs import queue_stats
from tasks_app.queries.trackers import living_nodes
from tasks_app.utils.bounded_check import BoundedCheck, answers
from tasks_app.utils.redis_client import redis_client

MAX_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    """The clusters of all hosts: whether they take jobs, and keep up."""

    workers: int = 0
    queues_without_workers: list[str] = field(default_factory=list)
    # Queue -> age of its oldest waiting job in seconds, where that is more than HEALTH_MAX_JOB_AGE_SECONDS.
    late_queues: dict[str, float] = field(default_factory=dict)
    is_scheduler_running: bool = False

    @property
    def is_well(self) -> bool:
        """Return whether each queue has workers and is in time, and schedules run."""
        return bool(self.workers and self.is_scheduler_running) and not (
            self.queues_without_workers or self.late_queues
        )


@dataclass(frozen=True, slots=True)
class GatewayHealth:
    """The gateways of all hosts; where none is expected (GATEWAY_EXPECTED) there need be none."""

    gateways: int = 0
    is_expected: bool = False

    @property
    def is_well(self) -> bool:
        """Return whether a gateway runs, or none is expected."""
        return bool(self.gateways) or not self.is_expected


@dataclass(frozen=True, slots=True)
class SystemHealth:
    """Health of all that the product needs."""

    database: bool
    redis: bool
    cluster: ClusterHealth
    gateway: GatewayHealth = GatewayHealth()

    @property
    def is_ready(self) -> bool:
        """Return whether requests can be served."""
        return self.database and self.redis

    @property
    def word(self) -> str:
        """Return healthy, degraded (work is done, but not all or not in time) or unhealthy (none is)."""
        if not self.is_ready or not self.cluster.workers:
            return "unhealthy"
        return "healthy" if self.cluster.is_well and self.gateway.is_well else "degraded"


def system_health() -> SystemHealth:
    """Return the health of everything, within MAX_SECONDS."""
    database, redis_answers, cluster, gateway = answers([_database, _redis, _cluster, _gateway], MAX_SECONDS)
    return SystemHealth(database, redis_answers, cluster, gateway)


def server_health() -> SystemHealth:
    """Return the health of the servers alone, within MAX_SECONDS."""
    database, redis_answers = answers([_database, _redis], MAX_SECONDS)
    return SystemHealth(database, redis_answers, ClusterHealth())


def _ask_database() -> bool:
    """Return whether PostgreSQL answers a query."""
    close_old_connections()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except (OperationalError, InterfaceError):
        return False
    finally:
        # Its thread asks seldom: no connection is kept for it.
        connection.close()


def _ask_redis() -> bool:
    """Return whether Redis answers a ping, and that of the queues, too."""
    try:
        return all(each.ping() for each in {client(), redis_client()})
    except redis.RedisError:
        return False


def is_a_scheduler_running() -> bool:
    """Return whether some scheduler has run lately. Raises redis.RedisError."""
    return is_scheduler_running(client())


def _ask_clusters() -> ClusterHealth:
    try:
        queues = queue_stats()
        runs = is_scheduler_running(client())
    except redis.RedisError:
        return ClusterHealth()
    most = settings.HEALTH_MAX_JOB_AGE_SECONDS
    ages = {queue.name: queue.oldest_age_seconds or 0.0 for queue in queues if not queue.paused}
    return ClusterHealth(
        workers=sum(queue.workers for queue in queues),
        queues_without_workers=[queue.name for queue in queues if not queue.workers],
        late_queues={name: round(age, 1) for name, age in ages.items() if age > most},
        is_scheduler_running=runs,
    )


def _ask_gateways() -> GatewayHealth:
    try:
        return GatewayHealth(len(living_nodes()), settings.GATEWAY["EXPECTED"])
    except redis.RedisError:
        return GatewayHealth(is_expected=settings.GATEWAY["EXPECTED"])


_database: BoundedCheck[bool] = BoundedCheck("database", _ask_database, otherwise=False)
_redis: BoundedCheck[bool] = BoundedCheck("redis", _ask_redis, otherwise=False)
_cluster: BoundedCheck[ClusterHealth] = BoundedCheck("cluster", _ask_clusters, otherwise=ClusterHealth())
_gateway: BoundedCheck[GatewayHealth] = BoundedCheck("gateway", _ask_gateways, otherwise=GatewayHealth())
