"""The context of the overview: the parts that this user may see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django_q.models import Schedule
from redis.exceptions import RedisError

from tasks_app.admin.cleanup import days_text, urgency
from tasks_app.admin.common import STATUS_BADGES, format_bytes, format_time
from tasks_app.admin.overview.charts import alerts_chart, jobs_chart, positions_chart
from tasks_app.admin.overview.problems import (
    BAD,
    Problem,
    device_problems,
    failure_problems,
    health,
    queue_problems,
    schedule_problems,
    storage_problems,
)
from tasks_app.engine import JobState, QueueUnavailable
from tasks_app.engine.live import QueueStats
from tasks_app.models import Device
from tasks_app.queries.devices import count_by_status
from tasks_app.queries.jobs import job_counts, list_workers, queue_stats
from tasks_app.queries.storage import storage_forecast
from tasks_app.web.quantities import format_number

NEXT_RUNS = 6


def overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK: add the parts this user may see."""
    may, now = request.user.has_perm, timezone.now()
    problems: list[Problem] = []
    queues: list[QueueStats] = []
    cards: list[dict[str, Any]] = []
    charts: list[Callable[[datetime], dict[str, Any]]] = []
    if may("tasks_app.view_job"):
        queues = _add_jobs(context, problems, now)
        cards += job_cards(job_counts())
        charts += [] if context.get("unavailable") else [jobs_chart]
    if may("tasks_app.view_device"):
        problems += device_problems()
        cards = device_cards() + cards
        charts = [positions_chart, *charts]
    if may("tasks_app.view_event"):
        charts.append(alerts_chart)
    if may("django_q.view_schedule"):
        problems += schedule_problems()
        context["next_runs"] = next_runs()
    if may("tasks_app.view_storagesample"):
        found = storage_forecast(now=now)
        problems += storage_problems(found)
        cards.append(storage_card(found))
    context["problems"] = sorted(problems, key=lambda problem: (BAD, "warning", "").index(problem.kind))
    if may("tasks_app.view_job") and not context.get("unavailable"):
        context["health"] = health(problems, queues)
    context |= {"cards": cards, "charts": drawn(charts, now), "title": _("Overview")}
    context["may_start"] = may("tasks_app.add_job")
    return context


def _add_jobs(context: dict[str, Any], problems: list[Problem], now: datetime) -> list[QueueStats]:
    """Add what is wrong with jobs; where Redis does not answer, the reason. Return the queues."""
    context["shows_jobs"] = True
    problems += failure_problems(now)
    try:
        queues = queue_stats()
        problems += queue_problems(queues, list_workers())
        return queues
    except (RedisError, QueueUnavailable) as error:
        context["unavailable"] = str(error)
        return []


def drawn(charts: list[Callable[[datetime], dict[str, Any]]], now: datetime) -> list[dict[str, Any]]:
    """Return the charts that can be drawn; those of a Redis that does not answer are left out."""
    found = []
    for chart in charts:
        try:
            found.append(chart(now))
        except RedisError:
            continue
    return found


def device_cards() -> list[dict[str, Any]]:
    """How many devices are online, offline and yet unheard of."""
    url = reverse("admin:tasks_app_device_changelist")
    return [
        {
            "label": _("Devices: %(status)s") % {"status": status.label},
            "text": format_number(count),
            "kind": STATUS_BADGES[status] if count else "zero",
            "url": f"{url}?status={status}",
        }
        for status, count in count_by_status(Device.objects.all()).items()
    ]


def storage_card(found: Any) -> dict[str, Any]:
    """How large the database is and how long its budget lasts."""
    label = (
        _("Database · to its budget: %(left)s") % {"left": days_text(found)} if found.budget_bytes else _("Database")
    )
    url = reverse("admin:tasks_app_storagesample_changelist")
    return {"label": label, "text": format_bytes(found.size_bytes), "kind": urgency(found), "url": url}


def job_cards(finished: dict[str, int]) -> list[dict[str, Any]]:
    """Finished jobs of the last 24 hours, per final state."""
    url = reverse("admin:tasks_app_job_changelist")
    kinds = (
        (JobState.SUCCEEDED, _("Succeeded in 24 h"), "success"),
        (JobState.FAILED, _("Failed in 24 h"), "danger"),
        (JobState.CANCELLED, _("Cancelled in 24 h"), ""),
    )
    return [
        {
            "label": label,
            "text": format_number(finished.get(state, 0)),
            "kind": kind if finished.get(state) else "zero",
            "url": f"{url}?state={state}",
        }
        for state, label, kind in kinds
    ]


def next_runs() -> list[dict[str, Any]]:
    """The schedules that run next."""
    enabled = Schedule.objects.exclude(state__is_enabled=False).exclude(repeats=0).filter(next_run__isnull=False)
    return [
        {
            "name": schedule.name or schedule.func,
            "when": format_time(schedule.next_run),
            "url": reverse("admin:django_q_schedule_change", args=[schedule.pk]),
        }
        for schedule in enabled.order_by("next_run", "pk")[:NEXT_RUNS]
    ]
