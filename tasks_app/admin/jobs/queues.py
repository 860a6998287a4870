"""Queues and workers as the dashboard and the jobs page show them."""

from __future__ import annotations

from typing import Any

from django.utils.dateparse import parse_datetime

from tasks_app.admin.common import format_ago, format_bytes, format_seconds
from tasks_app.admin.jobs.queue_steps import offered_steps
from tasks_app.admin.jobs.rows import job_url, user_names
from tasks_app.queries.jobs import WorkerView, list_workers, queue_stats

LATE_HEARTBEAT_SECONDS = 10


def queue_context(user: Any) -> dict[str, Any]:
    """`queues`, `queue_rows` and `worker_rows` for queues.html, with the steps open to `user`. Raises RedisError."""
    queues = queue_stats()
    workers = list_workers()
    names = user_names({queue.pause["by"] for queue in queues if queue.pause.get("by")})
    return {
        "queues": queues,
        "queue_rows": [
            {
                "stats": queue,
                "oldest": format_seconds(queue.oldest_age_seconds),
                # Work that waits and nobody to do it is what staff must see first.
                "has_no_worker": not queue.workers and not queue.paused,
                "pause": pause_text(queue.pause, names),
                "steps": offered_steps(queue, user),
            }
            for queue in queues
        ],
        "worker_rows": [worker_row(worker) for worker in workers],
    }


def pause_text(pause: dict[str, Any], names: dict[int, str]) -> str:
    """Pause of a queue: its time, user and reason."""
    if not pause:
        return ""
    since = format_ago(parse_datetime(pause.get("at") or ""))
    return " · ".join(filter(None, (since, names.get(pause.get("by") or 0, ""), pause.get("reason") or "")))


def worker_row(worker: WorkerView) -> dict[str, Any]:
    return {
        "worker": worker,
        "job_url": job_url(worker.current_job_id) if worker.current_job_id else "",
        "heartbeat": format_seconds(worker.heartbeat_age_seconds),
        "is_late": worker.heartbeat_age_seconds is not None and worker.heartbeat_age_seconds > LATE_HEARTBEAT_SECONDS,
        "memory": format_bytes(worker.memory_bytes),
        "started": format_ago(parse_datetime(worker.started_at)),
    }
