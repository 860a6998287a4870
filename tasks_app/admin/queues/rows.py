"""Queues, tasks, workers and clusters as rows of their page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import time_format
from django.utils.translation import gettext as _

from tasks_app.admin.charts import bars_svg
from tasks_app.admin.common import format_ago, format_bytes, format_seconds
from tasks_app.admin.jobs import job_url, user_names
from tasks_app.admin.queues.steps import (
    CLUSTER_STEPS,
    QUEUE_STEPS,
    TASK_STEPS,
    WORKER_STEPS,
    ClusterTarget,
    TaskTarget,
    offered_steps,
)
from tasks_app.engine import registered_tasks
from tasks_app.engine.live import QueueStats
from tasks_app.queries.jobs import WorkerView, list_workers, queue_stats
from tasks_app.queries.queue_figures import NEWEST_OF_EACH_TASK, QueueFigures, Sample, queue_figures
from tasks_app.utils.number_ranges import numbers_text


def page_context(user: Any, now: datetime) -> dict[str, Any]:
    """Return `queue_rows`, `worker_rows` and `cluster_rows`, with the steps open to `user`. Raises RedisError."""
    queues, workers, figures = queue_stats(), list_workers(), queue_figures(now=now)
    pauses = [pause for queue in queues for pause in (queue.pause, *queue.paused_tasks.values())]
    names = user_names({pause["by"] for pause in pauses if pause.get("by")})
    return {
        "sample_limit": NEWEST_OF_EACH_TASK,
        "queue_rows": [queue_row(queue, figures[queue.name], names, user, now) for queue in queues],
        "worker_rows": [worker_row(worker, user, now) for worker in workers],
        "cluster_rows": [
            {
                "cluster": cluster,
                "steps": offered_steps(
                    CLUSTER_STEPS, cluster, user, "tasks_app_cluster_step", cluster.name, cluster.queue
                ),
            }
            for cluster in clusters_of(workers)
        ],
    }


def queue_row(
    queue: QueueStats, figures: QueueFigures, names: dict[int, str], user: Any, now: datetime
) -> dict[str, Any]:
    return {
        "stats": queue,
        "oldest": format_seconds(queue.oldest_age_seconds),
        # Work that waits and nobody to do it is what staff must see first.
        "has_no_worker": not queue.workers and not queue.paused,
        "pause": pause_text(queue.pause, names),
        "chart": last_hour_svg(figures, now),
        "finished": sum(figures.finished),
        "failed": sum(figures.failed),
        "waits": quantiles_text(figures.sample.wait_seconds),
        "runs": quantiles_text(figures.sample.run_seconds),
        "steps": offered_steps(QUEUE_STEPS, queue, user, "tasks_app_queue_step", queue.name),
        "task_rows": [task_row(target, figures, names, user) for target in task_targets(queue)],
    }


def task_targets(queue: QueueStats) -> list[TaskTarget]:
    """Return the tasks of a queue, paused ones first."""
    names = {task.name for task in registered_tasks() if task.queue == queue.name} | queue.paused_tasks.keys()
    targets = [TaskTarget(name, queue.name, queue.paused_tasks.get(name, {})) for name in names]
    return sorted(targets, key=lambda target: (not target.pause, target.name))


def task_row(target: TaskTarget, figures: QueueFigures, names: dict[int, str], user: Any) -> dict[str, Any]:
    sample = figures.tasks.get(target.name, Sample())
    return {
        "task": target,
        "sample": sample,
        "pause": pause_text(target.pause, names),
        "put_aside": target.pause.get("jobs", 0),
        "waits": format_seconds(sample.wait_seconds[1]),
        "runs": format_seconds(sample.run_seconds[1]),
        "steps": offered_steps(TASK_STEPS, target, user, "tasks_app_task_step", target.queue, target.name),
    }


def last_hour_svg(figures: QueueFigures, now: datetime) -> Any:
    """Draw the jobs that ended in each minute of the last hour."""
    label = _("Last hour: %(finished)d jobs ended, %(failed)d failed.") % {
        "finished": sum(figures.finished),
        "failed": sum(figures.failed),
    }
    count = len(figures.finished)
    minutes = [timezone.localtime(now - timedelta(minutes=count - 1 - index)) for index in range(count)]
    titles = [
        _("%(time)s: %(finished)d ended, %(failed)d failed")
        % {"time": time_format(minute), "finished": finished, "failed": failed}
        for minute, finished, failed in zip(minutes, figures.finished, figures.failed, strict=True)
    ]
    return bars_svg(figures.finished, bad=figures.failed, label=label, titles=titles)


def quantiles_text(seconds: list[float | None]) -> list[tuple[str, str]]:
    """Return the share of jobs and the time within which they were, for p50, p95 and p99."""
    return [(share, format_seconds(value)) for share, value in zip(("50 %", "95 %", "99 %"), seconds, strict=True)]


def pause_text(pause: dict[str, Any], names: dict[int, str]) -> str:
    """Return since when something is paused, by whom and why."""
    if not pause:
        return ""
    since = format_ago(parse_datetime(pause.get("at") or ""))
    return " · ".join(filter(None, (since, names.get(pause.get("by") or 0, ""), pause.get("reason") or "")))


def worker_row(worker: WorkerView, user: Any, now: datetime) -> dict[str, Any]:
    began_at = worker.current_job_started_at
    modes = {"quiet": (_("Resting"), "warning"), "stopping": (_("Stopping"), "danger")}
    # One of the version before obeys no orders.
    steps = WORKER_STEPS if worker.most_workers else ()
    return {
        "worker": worker,
        "job_url": job_url(worker.current_job_id) if worker.current_job_id else "",
        "job_age": format_seconds((now - began_at).total_seconds()) if began_at else "",
        "heartbeat": format_seconds(worker.heartbeat_age_seconds),
        "is_late": worker.is_late,
        "memory": format_bytes(worker.memory_bytes),
        "started": format_ago(parse_datetime(worker.started_at)),
        "mode": modes.get(worker.mode),
        "lanes": numbers_text(worker.lanes),
        "steps": offered_steps(steps, worker, user, "tasks_app_worker_step", worker.name),
    }


def clusters_of(workers: Iterable[WorkerView]) -> list[ClusterTarget]:
    """Return the workers by cluster and queue. Those of the version before, which obey no orders, are left out."""
    groups: dict[tuple[str, str], list[WorkerView]] = defaultdict(list)
    for worker in workers:
        if worker.most_workers:
            groups[worker.cluster, worker.queue].append(worker)
    return [
        ClusterTarget(
            name, queue, sum(worker.mode != "stopping" for worker in some), max(worker.most_workers for worker in some)
        )
        for (name, queue), some in sorted(groups.items())
    ]
