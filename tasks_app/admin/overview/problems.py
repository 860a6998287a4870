"""Problems of now, each in a sentence with a link to where it is mended, and the health of all in one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_q.models import Schedule

from tasks_app.admin.cleanup import days_text, urgency
from tasks_app.admin.common import format_ago, format_seconds
from tasks_app.admin.jobs import job_url
from tasks_app.engine.live import QueueStats
from tasks_app.models import DeviceState, DeviceStatus
from tasks_app.queries.failure_groups import FailureGroup, failure_groups
from tasks_app.queries.jobs import WorkerView
from tasks_app.queries.storage_forecast import StorageForecast

# A job that waits for so long although workers are there shows that they do not keep up.
BEHIND_SECONDS = 120
MAX_NAMES = 3
BAD, WARNING, NOTE = "danger", "warning", ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: danger where work stands still or fails, warning where it soon may, else a note."""

    kind: str
    title: str
    detail: str
    url: str


def queue_problems(queues: Iterable[QueueStats], workers: Iterable[WorkerView]) -> list[Problem]:
    """Return what is wrong with queues and workers."""
    url = reverse("admin:tasks_app_queues")
    found = [problem for queue in queues for problem in _of_queue(queue, url)]
    for worker in workers:
        if not worker.is_late:
            continue
        title = _("A worker of %(queue)s does not answer: %(host)s, process %(pid)s") % {
            "queue": worker.queue,
            "host": worker.host,
            "pid": worker.pid,
        }
        age = format_seconds(worker.heartbeat_age_seconds)
        found.append(Problem(BAD, title, _("Its last heartbeat was %s ago.") % age, url))
    return found


def _of_queue(queue: QueueStats, url: str) -> list[Problem]:
    found = []
    age = queue.oldest_age_seconds
    if queue.paused:
        found.append(Problem(WARNING, _("The queue %s is paused.") % queue.name, _waiting(queue.depth), url))
    elif not queue.workers:
        kind = BAD if queue.depth else WARNING
        found.append(Problem(kind, _("No worker runs the queue %s.") % queue.name, _waiting(queue.depth), url))
    elif age is not None and age > BEHIND_SECONDS:
        title = _("The queue %(queue)s is behind: its oldest job has waited %(age)s.")
        found.append(
            Problem(BAD, title % {"queue": queue.name, "age": format_seconds(age)}, _waiting(queue.depth), url)
        )
    for task, jobs in queue.put_aside.items():
        found.append(Problem(WARNING, _("The task %s is paused.") % task, _waiting(jobs), url))
    return found


def _waiting(count: int) -> str:
    return ngettext("%d job waits.", "%d jobs wait.", count) % count if count else ""


def failure_problems(now: datetime) -> list[Problem]:
    """Return what failed in the last 24 hours, by task and class of error."""
    return [_of_failures(group) for group in failure_groups(now=now)]


def _of_failures(group: FailureGroup) -> Problem:
    title = ngettext("%(task)s failed: %(error)s", "%(task)s failed %(count)d times: %(error)s", group.count) % {
        "task": group.task,
        "count": group.count,
        "error": group.error_class or _("no class"),
    }
    detail = " · ".join(filter(None, (format_ago(group.newest_at), group.message[:200])))
    url = job_url(group.newest_id)
    if group.count > 1:
        query = urlencode({"state": "failed", "search": f"task:{group.task}"})
        url = f"{reverse('admin:tasks_app_job_changelist')}?{query}"
    return Problem(BAD, title, detail, url)


def schedule_problems() -> list[Problem]:
    """Return schedules whose last run could not be enqueued."""
    broken = Schedule.objects.exclude(state__last_error="").filter(state__isnull=False).select_related("state")
    return [
        Problem(
            BAD,
            _("The schedule %s has an error.") % (schedule.name or schedule.func),
            schedule.state.last_error[:200],
            reverse("admin:django_q_schedule_change", args=[schedule.pk]),
        )
        for schedule in broken.order_by("pk")[:5]
    ]


def device_problems() -> list[Problem]:
    """Return the devices that fell silent, together."""
    silent = DeviceState.objects.filter(status=DeviceStatus.OFFLINE)
    count = silent.count()
    if not count:
        return []
    newest = silent.select_related("device").order_by("-offline_since", "device_id")[:MAX_NAMES]
    names = ", ".join(state.device.name for state in newest)
    detail = names if count <= MAX_NAMES else _("%(names)s and %(number)d more") % _more(names, count)
    title = ngettext("%d device is silent.", "%d devices are silent.", count) % count
    url = f"{reverse('admin:tasks_app_device_changelist')}?status={DeviceStatus.OFFLINE}"
    return [Problem(NOTE, title, detail, url)]


def _more(names: str, count: int) -> dict[str, Any]:
    return {"names": names, "number": count - MAX_NAMES}


def storage_problems(found: StorageForecast) -> list[Problem]:
    """Return that the database's budget is nearly used up, if it is."""
    if urgency(found) != BAD:
        return []
    title = _("The database reaches its budget: %s") % days_text(found)
    return [Problem(WARNING, title, "", reverse("admin:tasks_app_storagesample_changelist"))]


def health(problems: Iterable[Problem], queues: Iterable[QueueStats]) -> tuple[str, str]:
    """Return kind and sentence of the health of all."""
    kinds = [problem.kind for problem in problems]
    bad, warnings = kinds.count(BAD), kinds.count(WARNING)
    if bad:
        return BAD, ngettext("%d thing is wrong.", "%d things are wrong.", bad) % bad
    if warnings:
        return WARNING, ngettext("Works; %d thing needs a look.", "Works; %d things need a look.", warnings) % warnings
    queues = list(queues)
    facts = {"workers": sum(queue.workers for queue in queues), "waiting": sum(queue.depth for queue in queues)}
    return "success", _("All is well. Workers: %(workers)d. Waiting jobs: %(waiting)d.") % facts
