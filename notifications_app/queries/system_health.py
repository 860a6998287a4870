"""Present trouble of the system, for administrators. Each trouble has a stable key."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from notifications_app.models.kinds import Text
from tasks_app.engine import JobState, get_task
from tasks_app.models import Job, ScheduleState
from tasks_app.queries.jobs import queue_stats

FAILURES_WINDOW = timedelta(hours=1)
WORKER_LOST = "JobLost"
# Clusters that start or stop one after the other leave a queue without workers for seconds. Each queue gets a job a minute.
WITHOUT_WORKERS_FOR_MINUTES = 1


# A text with its values, in the language of its reader.
_said: Any = lazy(lambda text, **values: text % values, str)


@dataclass(frozen=True, slots=True)
class Trouble:
    """`subject` and `message` may be lazy; `level` as in send_system_alert. With `stops_messages` the queue that sends
    messages is the one in trouble."""

    key: str
    subject: Text
    message: Text
    level: str
    stops_messages: bool = False


def troubles(*, now: datetime) -> list[Trouble]:
    """All trouble at `now`. A few queries, and one read of Redis."""
    return [*_queues(), *_failures(now), *_schedules(), *_disk()]


def _queues() -> Iterator[Trouble]:
    limit_minutes, sends_messages = settings.SYSTEM_ALERT_QUEUE_AGE_MINUTES, get_task("deliver_notification").queue
    for queue in queue_stats():
        name, waits_minutes = queue.name, (queue.oldest_age_seconds or 0) / 60
        if not queue.workers and waits_minutes >= WITHOUT_WORKERS_FOR_MINUTES:
            message = _("No worker of the queue %(queue)s sends heartbeats; %(count)d jobs wait.")
            yield Trouble(
                f"no-workers:{name}",
                _said(_("Queue %(queue)s has no workers"), queue=name),
                _said(message, queue=name, count=queue.depth),
                "critical",
                stops_messages=name == sends_messages,
            )
        elif queue.workers and waits_minutes > limit_minutes and not queue.paused:
            message = _(
                "The oldest job of the queue %(queue)s has waited for %(minutes)d minutes; %(count)d jobs wait."
            )
            yield Trouble(
                f"queue-age:{name}",
                _said(_("Queue %(queue)s is behind"), queue=name),
                _said(message, queue=name, minutes=waits_minutes, count=queue.depth),
                "error",
                stops_messages=name == sends_messages,
            )


def _failures(now: datetime) -> Iterator[Trouble]:
    """Tasks of which many jobs failed, and jobs given up because their workers died."""
    recent = Job.objects.filter(state=JobState.FAILED, finished_at__gt=now - FAILURES_WINDOW).order_by()
    for task, count in recent.values_list("task").annotate(count=Count("pk")).order_by("task"):
        if count >= settings.SYSTEM_ALERT_FAILED_JOBS:
            message = _("%(count)d jobs of the task %(task)s failed within the last hour.")
            yield Trouble(
                f"failed-jobs:{task}",
                _said(_("Many jobs of %(task)s fail"), task=task),
                _said(message, task=task, count=count),
                "error",
            )
    lost = recent.filter(error_class=WORKER_LOST).values_list("task", flat=True).distinct().order_by("task")
    for task in lost:
        message = _("A job of the task %(task)s was given up because its worker died several times while running it.")
        yield Trouble(f"worker-lost:{task}", _("A job killed its workers"), _said(message, task=task), "error")


def _schedules() -> Iterator[Trouble]:
    """Schedules that were switched off because they cannot be run; those that a person switched off are no trouble."""
    off = ScheduleState.objects.filter(is_enabled=False).exclude(last_error="").select_related("schedule")
    for state in off.order_by("pk"):
        yield Trouble(
            f"schedule-off:{state.pk}",
            _said(_("Schedule %(name)s was switched off"), name=state.schedule.name),
            state.last_error,
            "error",
        )


def _disk() -> Iterator[Trouble]:
    """The disk that reports and uploads are written to."""
    place = Path(settings.MEDIA_ROOT)
    usage = shutil.disk_usage(next(one for one in (place, *place.parents) if one.exists()))
    percent = 100 * usage.used / usage.total
    if percent >= settings.SYSTEM_ALERT_DISK_PERCENT:
        message = _("%(percent)d %% of the disk of %(place)s are used, %(free)d MiB are free.")
        used = _said(message, percent=percent, place=place, free=usage.free // 2**20)
        yield Trouble("disk", _("The disk is nearly full"), used, "critical")
