"""Dashboard of the admin: queues, workers, figures of the last day, and failed jobs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from tasks_app.admin.cleanup import days_text, urgency
from tasks_app.admin.common import STATUS_BADGES, format_bytes
from tasks_app.admin.jobs import job_rows, queue_context
from tasks_app.engine import JobState, QueueUnavailable
from tasks_app.models import Device
from tasks_app.queries.devices import count_by_status
from tasks_app.queries.jobs import JobFilters, job_counts, list_jobs
from tasks_app.queries.storage import storage_forecast

RECENT_FAILURES = 5


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK: add the parts this user may see."""
    if request.user.has_perm("tasks_app.view_device"):
        context["device_cards"] = device_cards()
    if request.user.has_perm("tasks_app.view_storagesample"):
        context["storage_card"] = storage_card()
    if request.user.has_perm("tasks_app.view_job"):
        context |= recent_jobs_context(request)
    context["title"] = _("Overview")
    context["may_start"] = request.user.has_perm("tasks_app.add_job")
    return context


def device_cards() -> list[dict[str, Any]]:
    """How many devices are online, offline and yet unheard of."""
    url = reverse("admin:tasks_app_device_changelist")
    return [
        {"label": status.label, "count": count, "kind": STATUS_BADGES[status], "url": f"{url}?status={status}"}
        for status, count in count_by_status(Device.objects.all()).items()
    ]


def storage_card() -> dict[str, Any]:
    """How large the database is and how long its budget lasts."""
    found = storage_forecast(now=timezone.now())
    label = (
        _("Database · to its budget: %(left)s") % {"left": days_text(found)} if found.budget_bytes else _("Database")
    )
    url = reverse("admin:tasks_app_storagesample_changelist")
    return {"label": label, "text": format_bytes(found.size_bytes), "kind": urgency(found), "url": url}


def recent_jobs_context(request: HttpRequest) -> dict[str, Any]:
    """Queues, workers, counts and failures; where Redis does not answer, the reason."""
    try:
        finished = job_counts()
        failed = list_jobs(user=request.user, filters=JobFilters(state=JobState.FAILED), limit=RECENT_FAILURES)
        overview = queue_context(request.user)
        return {**overview, "job_cards": job_cards(finished), "rows": job_rows(failed.jobs), "shows_jobs": True}
    except (RedisError, QueueUnavailable) as error:
        return {"unavailable": str(error), "shows_jobs": True}


def job_cards(finished: dict[str, int]) -> list[dict[str, Any]]:
    """Finished jobs of the last 24 hours, per final state."""
    url = reverse("admin:tasks_app_job_changelist")
    kinds = (
        (JobState.SUCCEEDED, _("Succeeded in 24 h"), "success"),
        (JobState.FAILED, _("Failed in 24 h"), "danger"),
        (JobState.CANCELLED, _("Cancelled in 24 h"), ""),
    )
    return [
        {"label": label, "count": finished.get(state, 0), "kind": kind, "url": f"{url}?state={state}"}
        for state, label, kind in kinds
    ]
