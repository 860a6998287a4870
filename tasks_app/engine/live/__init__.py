"""Reading what Redis holds now: jobs, pages of them, queues and workers; and the repair of jobs that lost their place."""

from tasks_app.engine.live.jobs import (
    QueueStats,
    find_live_job,
    find_live_jobs,
    finished_per_minute,
    list_live_jobs,
    queue_stats,
)
from tasks_app.engine.live.orphans import repair_queue
from tasks_app.engine.live.pages import Place, PlacedJob, is_place, live_jobs_after
from tasks_app.engine.live.workers import WorkerInfo, list_workers

__all__ = [
    "Place",
    "PlacedJob",
    "QueueStats",
    "WorkerInfo",
    "find_live_job",
    "find_live_jobs",
    "finished_per_minute",
    "is_place",
    "list_live_jobs",
    "list_workers",
    "live_jobs_after",
    "queue_stats",
    "repair_queue",
]
