"""The page "Queues and workers", and the pages that ask before something is done there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from tasks_app.admin.common import format_seconds
from tasks_app.admin.jobs import ReasonForm, add_pages
from tasks_app.admin.queues.rows import clusters_of, page_context, task_targets
from tasks_app.admin.queues.steps import (
    CLUSTER_STEPS,
    QUEUE_STEPS,
    TASK_STEPS,
    WORKER_STEPS,
    Step,
    waiting_count,
    worker_title,
)
from tasks_app.engine import QueueUnavailable
from tasks_app.engine.live import QueueStats
from tasks_app.exceptions import JobError
from tasks_app.models import QueueAction
from tasks_app.queries.jobs import list_workers, queue_stats

View = Callable[..., HttpResponse]


def queue_urls() -> list[URLPattern]:
    """Return the addresses of these pages, below those of jobs."""
    view = admin.site.admin_view
    return [
        path("queues/", view(queues_page), name="tasks_app_queues"),
        path("queues/<str:name>/<str:verb>/", view(queue_step), name="tasks_app_queue_step"),
        path("queues/<str:queue>/tasks/<str:name>/<str:verb>/", view(task_step), name="tasks_app_task_step"),
        path("workers/<str:name>/<str:verb>/", view(worker_step), name="tasks_app_worker_step"),
        path("clusters/<str:name>/<str:queue>/<str:verb>/", view(cluster_step), name="tasks_app_cluster_step"),
    ]


def message_when_unavailable(view: View) -> View:
    """Decorate a view: where the queue server does not answer, say so (503) instead of failing."""

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except (RedisError, QueueUnavailable) as error:
            context = {"title": _("Queues and workers"), "unavailable": str(error)}
            return _page(request, "tasks_app/admin/unavailable.html", context, status=503)

    return inner


@message_when_unavailable
def queues_page(request: HttpRequest) -> HttpResponse:
    """Show queues, tasks, workers and clusters as they are now, and what was done to them last."""
    if not _may_see(request):
        raise PermissionDenied
    actions = QueueAction.objects.select_related("user")[:10]
    context = {"title": _("Queues and workers"), "actions": actions, **page_context(request.user, timezone.now())}
    return _page(request, "tasks_app/admin/queues.html", context)


@message_when_unavailable
def queue_step(request: HttpRequest, name: str, verb: str) -> HttpResponse:
    """Pause, resume or purge a queue."""
    queue = _queue(name)
    facts = [(_("Waiting jobs"), waiting_count(queue)), (_("Running jobs"), queue.running)]
    return _ask_and_act(request, _step(QUEUE_STEPS, verb), {"name": name}, name, facts, {"queue": name})


@message_when_unavailable
def task_step(request: HttpRequest, queue: str, name: str, verb: str) -> HttpResponse:
    """Pause or resume a task."""
    target = next((target for target in task_targets(_queue(queue)) if target.name == name), None)
    if target is None:
        raise Http404(_("There is no such task."))
    facts = [(_("Queue"), queue), (_("Jobs that were put aside"), target.pause.get("jobs", 0))]
    step = _step(TASK_STEPS, verb)
    return _ask_and_act(request, step, {"task": name}, name, facts, {"queue": queue, "subject": name})


@message_when_unavailable
def worker_step(request: HttpRequest, name: str, verb: str) -> HttpResponse:
    """Let a worker rest, wake it, or stop it."""
    worker = next((worker for worker in list_workers() if worker.name == name), None)
    if worker is None:
        raise Http404(_("There is no such worker."))
    began_at = worker.current_job_started_at
    age = format_seconds((timezone.now() - began_at).total_seconds()) if began_at else ""
    job = " · ".join(filter(None, (worker.current_task, age))) or _("idle")
    facts = [(_("Queue"), worker.queue), (_("Current job"), job)]
    about = {"queue": worker.queue, "subject": name}
    return _ask_and_act(request, _step(WORKER_STEPS, verb), {"name": name}, worker_title(worker), facts, about)


@message_when_unavailable
def cluster_step(request: HttpRequest, name: str, queue: str, verb: str) -> HttpResponse:
    """Let a cluster have one worker more or less."""
    clusters = clusters_of(list_workers())
    cluster = next((each for each in clusters if (each.name, each.queue) == (name, queue)), None)
    if cluster is None:
        raise Http404(_("There is no such cluster."))
    count = _("%(count)d of at most %(most)d") % {"count": cluster.workers, "most": cluster.most_workers}
    facts = [(_("Queue"), queue), (_("Workers"), count)]
    about = {"queue": queue, "subject": name}
    return _ask_and_act(request, _step(CLUSTER_STEPS, verb), {"cluster": name, "queue": queue}, name, facts, about)


def _ask_and_act(
    request: HttpRequest,
    step: Step,
    arguments: dict[str, str],
    title: str,
    facts: list[tuple[str, Any]],
    about: dict[str, str],
) -> HttpResponse:
    """Ask on GET, act on POST; a refusal is shown on the page. `about` names the earlier actions that are shown."""
    if not request.user.has_perm(step.permission):
        raise PermissionDenied
    form = ReasonForm(request.POST or None)
    back_url = "admin:tasks_app_queues" if _may_see(request) else "admin:index"
    if request.method == "POST" and form.is_valid():
        try:
            answer = step.service(
                **arguments, user=request.user, reason=form.cleaned_data["reason"], now=timezone.now()
            )
            messages.success(request, step.done(title, answer))
        except JobError as error:
            messages.error(request, str(error))
        return redirect(back_url)
    context = {
        "title": step.question % title,
        "note": step.note,
        "facts": facts,
        "button": step.label,
        "variant": step.variant,
        "form": form,
        "back_url": redirect(back_url).url,
        "actions": QueueAction.objects.filter(**about).select_related("user")[:10],
    }
    return _page(request, "tasks_app/admin/confirm.html", context)


def _queue(name: str) -> QueueStats:
    queue = next((queue for queue in queue_stats() if queue.name == name), None)
    if queue is None:
        raise Http404(_("There is no such queue."))
    return queue


def _step(steps: Iterable[Step], verb: str) -> Step:
    step = next((step for step in steps if step.verb == verb), None)
    if step is None:
        raise Http404(_("There is no such step."))
    return step


def _may_see(request: HttpRequest) -> bool:
    seeing = ("view_job", "change_job", "pause_queue", "purge_queue", "control_workers")
    return any(request.user.has_perm(f"tasks_app.{name}") for name in seeing)


def _page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> TemplateResponse:
    request.current_app = admin.site.name
    whole = {**admin.site.each_context(request), **context}
    return TemplateResponse(request, template, whole, status=status)


add_pages(queue_urls())
