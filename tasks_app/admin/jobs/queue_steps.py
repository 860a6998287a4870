"""Pausing, resuming and purging a queue from the admin: offered steps, confirmation, action and message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tasks_app.engine.live_jobs import QueueStats
from tasks_app.services.jobs import pause_queue, purge_queue, resume_queue


@dataclass(frozen=True)
class QueueStep:
    """One thing to do to a queue."""

    verb: str
    label: Any
    question: Any
    note: Any
    variant: str
    permission: str
    service: Callable[..., int | None]
    makes_sense: Callable[[QueueStats], bool]


def waiting_count(queue: QueueStats) -> int:
    """The jobs that a purge would cancel."""
    return queue.depth + queue.scheduled + queue.retrying


STEPS = {
    step.verb: step
    for step in (
        QueueStep(
            "pause",
            gettext_lazy("Pause"),
            gettext_lazy("Pause the queue %s?"),
            gettext_lazy("Workers take no more jobs from it, on any host. Running jobs go on, new ones wait."),
            "primary",
            "tasks_app.change_job",
            pause_queue,
            lambda queue: not queue.paused,
        ),
        QueueStep(
            "resume",
            gettext_lazy("Resume"),
            gettext_lazy("Resume the queue %s?"),
            gettext_lazy("Workers take its jobs again."),
            "primary",
            "tasks_app.change_job",
            resume_queue,
            lambda queue: queue.paused,
        ),
        QueueStep(
            "purge",
            gettext_lazy("Purge"),
            gettext_lazy("Cancel every waiting job of the queue %s?"),
            gettext_lazy("Queued, scheduled and retrying jobs end as cancelled. Running jobs go on."),
            "danger",
            "tasks_app.delete_job",
            purge_queue,
            lambda queue: waiting_count(queue) > 0,
        ),
    )
}


def offered_steps(queue: QueueStats, user: Any) -> list[dict[str, Any]]:
    """The steps that make sense now and that this user may take, as links."""
    return [
        {"label": step.label, "url": reverse("admin:tasks_app_queue_step", args=[queue.name, step.verb])}
        for step in STEPS.values()
        if step.makes_sense(queue) and user.has_perm(step.permission)
    ]


def step_with_message(request: HttpRequest, step: QueueStep, name: str, reason: str) -> None:
    """Take the step and show the user the outcome."""
    count = step.service(name=name, user=request.user, reason=reason, now=timezone.now())
    if step.verb == "purge":
        text = ngettext("%d waiting job was cancelled.", "%d waiting jobs were cancelled.", count or 0) % (count or 0)
    else:
        text = (_("The queue %s is paused.") if step.verb == "pause" else _("The queue %s goes on.")) % name
    messages.success(request, text)
