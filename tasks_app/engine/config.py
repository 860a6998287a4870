"""The engine's settings, typed: `Q_CLUSTER` (with ALT_CLUSTERS, one per queue) and `TASK_ENGINE`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

# A worker looks at each lane's lease a few times a second, and a look at a job reads every lane.
MAX_LANES = 256


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """Settings of a queue; a task may have limits of its own."""

    name: str
    workers: int
    timeout_seconds: float
    max_attempts: int
    backoff_seconds: float
    backoff_cap_seconds: float
    # Ordered sub-queues for the jobs of tasks with a lane key; 0: none.
    lanes: int = 0


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Settings of the engine."""

    prefix: str
    redis_url: str
    queues: dict[str, QueueConfig]
    job_store: str
    schedules: str
    max_payload_bytes: int
    max_result_bytes: int
    max_queue_depth: int
    grace_seconds: float
    max_worker_losses: int = 3
    kill_after_seconds: float = 5.0
    heartbeat_seconds: float = 2.0
    dead_after_seconds: float = 8.0
    tombstone_seconds: float = 60.0
    # How often a process adds what it counted to the metrics; 0: only when asked to.
    metrics_every_seconds: float = 1.0

    def queue(self, name: str) -> QueueConfig:
        """Return the configuration of queue `name`. Raises ImproperlyConfigured for a queue that is not configured."""
        try:
            return self.queues[name]
        except KeyError:
            raise ImproperlyConfigured(f"Queue {name!r} is not in Q_CLUSTER['ALT_CLUSTERS'].") from None


def _queue_config(name: str, options: dict[str, Any], defaults: dict[str, Any]) -> QueueConfig:
    merged = {**defaults, **options}
    return QueueConfig(
        name=name,
        workers=int(merged.get("workers", 1)),
        timeout_seconds=float(merged.get("timeout", 60)),
        max_attempts=int(merged.get("attempts", 3)),
        backoff_seconds=float(merged.get("backoff_seconds", 1)),
        backoff_cap_seconds=float(merged.get("backoff_cap_seconds", 3600)),
        lanes=_lane_count(name, options.get("lanes", 0)),
    )


def _lane_count(queue: str, lanes: Any) -> int:
    if isinstance(lanes, bool) or not isinstance(lanes, int) or not 0 <= lanes <= MAX_LANES:
        raise ImproperlyConfigured(f"Queue {queue!r} has lanes={lanes!r}: a number from 0 to {MAX_LANES} is meant.")
    return lanes


@lru_cache(maxsize=1)
def engine_config() -> EngineConfig:
    """Read the settings once. Tests that change them call `engine_config.cache_clear()`."""
    cluster: dict[str, Any] = settings.Q_CLUSTER
    engine: dict[str, Any] = settings.TASK_ENGINE
    queues = {name: _queue_config(name, options, cluster) for name, options in cluster["ALT_CLUSTERS"].items()}
    return EngineConfig(
        prefix=cluster["name"],
        redis_url=cluster["redis"],
        queues=queues,
        job_store=engine["JOB_STORE"],
        schedules=engine["SCHEDULES"],
        max_payload_bytes=engine["MAX_PAYLOAD_BYTES"],
        max_result_bytes=engine["MAX_RESULT_BYTES"],
        max_queue_depth=engine["MAX_QUEUE_DEPTH"],
        grace_seconds=float(engine["GRACE_SECONDS"]),
        metrics_every_seconds=float(engine.get("METRICS_EVERY_SECONDS", 1.0)),
    )
