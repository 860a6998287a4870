"""Steps of staff on a queue, one of its tasks, a worker and a cluster: when they are offered, what is asked and done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tasks_app.engine.live import QueueStats
from tasks_app.queries.jobs import WorkerView
from tasks_app.services.jobs import (
    grow_cluster,
    pause_queue,
    pause_task,
    purge_queue,
    quiet_worker,
    resume_queue,
    resume_task,
    shrink_cluster,
    stop_worker,
    wake_worker,
)

PAUSE = "tasks_app.pause_queue"
CONTROL = "tasks_app.control_workers"


@dataclass(frozen=True)
class Step:
    """One thing to do; `%s` in its texts is the name of what it is done to. `done` takes what the service returned."""

    verb: str
    label: Any
    question: Any
    note: Any
    service: Callable[..., Any]
    done: Callable[[str, Any], str]
    makes_sense: Callable[[Any], bool]
    permission: str = PAUSE
    variant: str = "primary"


@dataclass(frozen=True, slots=True)
class TaskTarget:
    """A task of a queue. `pause` is that of the queue's figures, empty while it is not paused."""

    name: str
    queue: str
    pause: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClusterTarget:
    """The workers of a queue in a cluster: how many it has, without those that stop, and how many it may have."""

    name: str
    queue: str
    workers: int
    most_workers: int


def waiting_count(queue: QueueStats) -> int:
    """Return how many jobs a purge would cancel."""
    return queue.depth + queue.scheduled + queue.retrying


def _says(text: Any) -> Callable[[str, Any], str]:
    return lambda name, _answer: str(text) % name


def _says_how_many(_name: str, count: int) -> str:
    return ngettext("%d waiting job was cancelled.", "%d waiting jobs were cancelled.", count) % count


QUEUE_STEPS = (
    Step(
        "pause",
        gettext_lazy("Pause"),
        gettext_lazy("Pause the queue %s?"),
        gettext_lazy("Workers take no more jobs from it, on any host. Running jobs go on, new ones wait."),
        pause_queue,
        _says(gettext_lazy("The queue %s is paused.")),
        lambda queue: not queue.paused,
    ),
    Step(
        "resume",
        gettext_lazy("Resume"),
        gettext_lazy("Resume the queue %s?"),
        gettext_lazy("Workers take its jobs again."),
        resume_queue,
        _says(gettext_lazy("The queue %s goes on.")),
        lambda queue: queue.paused,
    ),
    Step(
        "purge",
        gettext_lazy("Purge"),
        gettext_lazy("Cancel every waiting job of the queue %s?"),
        gettext_lazy("Queued, scheduled and retrying jobs end as cancelled. Running jobs go on."),
        purge_queue,
        _says_how_many,
        lambda queue: waiting_count(queue) > 0,
        "tasks_app.purge_queue",
        "danger",
    ),
)
TASK_STEPS = (
    Step(
        "pause",
        gettext_lazy("Pause"),
        gettext_lazy("Pause the task %s?"),
        gettext_lazy(
            "Its jobs wait and keep their places; other tasks of the queue go on. A lane waits at such a job, for its"
            " order is kept. Running jobs go on."
        ),
        pause_task,
        _says(gettext_lazy("The task %s is paused.")),
        lambda task: not task.pause,
    ),
    Step(
        "resume",
        gettext_lazy("Resume"),
        gettext_lazy("Resume the task %s?"),
        gettext_lazy("Jobs that waited run before those that came later."),
        resume_task,
        _says(gettext_lazy("The task %s goes on.")),
        lambda task: bool(task.pause),
    ),
)
WORKER_STEPS = (
    Step(
        "quiet",
        gettext_lazy("Let it rest"),
        gettext_lazy("Let the worker %s rest?"),
        gettext_lazy("It ends the job it has and takes no other until it is woken. Its lanes go to other workers."),
        quiet_worker,
        _says(gettext_lazy("The worker %s takes no more jobs.")),
        lambda worker: worker.mode == "working",
        CONTROL,
    ),
    Step(
        "wake",
        gettext_lazy("Wake"),
        gettext_lazy("Wake the worker %s?"),
        gettext_lazy("It takes jobs again."),
        wake_worker,
        _says(gettext_lazy("The worker %s takes jobs again.")),
        lambda worker: worker.mode == "quiet",
        CONTROL,
    ),
    Step(
        "stop",
        gettext_lazy("Stop it"),
        gettext_lazy("Stop the worker %s?"),
        gettext_lazy(
            "It ends the job it has, then its process ends. No other takes its place until the cluster starts anew."
        ),
        stop_worker,
        _says(gettext_lazy("The worker %s stops when its job has ended.")),
        lambda worker: worker.mode != "stopping",
        CONTROL,
        "danger",
    ),
)
CLUSTER_STEPS = (
    Step(
        "grow",
        gettext_lazy("One more"),
        gettext_lazy("Start another worker in %s?"),
        gettext_lazy("It stays until it is stopped or the cluster starts anew."),
        grow_cluster,
        _says(gettext_lazy("Another worker starts in %s.")),
        lambda cluster: cluster.workers < cluster.most_workers,
        CONTROL,
    ),
    Step(
        "shrink",
        gettext_lazy("One less"),
        gettext_lazy("Stop a worker in %s?"),
        gettext_lazy("An idle one if there is any; it ends the job it has. It is back when the cluster starts anew."),
        shrink_cluster,
        _says(gettext_lazy("A worker stops in %s when its job has ended.")),
        lambda cluster: cluster.workers > 1,
        CONTROL,
        "danger",
    ),
)


def offered_steps(steps: Iterable[Step], target: Any, user: Any, url_name: str, *args: str) -> list[dict[str, Any]]:
    """Return the steps that make sense now and that this user may take, as links."""
    return [
        {"label": step.label, "url": reverse(f"admin:{url_name}", args=[*args, step.verb])}
        for step in steps
        if step.makes_sense(target) and user.has_perm(step.permission)
    ]


def worker_title(worker: WorkerView) -> str:
    """Return the name of a worker for people: its host and process id."""
    return _("%(host)s · process %(pid)s") % {"host": worker.host, "pid": worker.pid}
