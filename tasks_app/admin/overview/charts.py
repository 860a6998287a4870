"""The charts of the overview: positions and jobs by the minute, alerts by the hour of today."""

from __future__ import annotations

from datetime import datetime, timedelta
from datetime import timezone as fixed_zone
from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncHour
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format, time_format
from django.utils.translation import gettext as _

from tasks_app.admin.charts import bars_svg
from tasks_app.models import Event, EventKind
from tasks_app.queries.queue_figures import MINUTES, ended_per_minute
from tasks_app.queries.stored_positions import stored_per_minute

# What happens every day without calling for anybody is no alert.
QUIET_KINDS = (
    EventKind.TRIP_START,
    EventKind.TRIP_END,
    EventKind.IGNITION_ON,
    EventKind.IGNITION_OFF,
    EventKind.OVERSPEED_END,
    EventKind.DEVICE_ONLINE,
    EventKind.COMMAND_RESULT,
)
Chart = dict[str, Any]


def positions_chart(now: datetime) -> Chart:
    """Draw the positions that were stored in each minute of the last hour. Raises RedisError."""
    last_minute = int(now.timestamp()) // 60
    counts = stored_per_minute(range(last_minute - MINUTES + 1, last_minute + 1))
    # The present minute is not over.
    per_minute = sum(counts[-6:-1]) / 5
    label = _("Positions stored per minute in the last hour; %s a minute in the last five.") % number_format(
        per_minute, 1
    )
    return {
        "title": _("Positions per minute"),
        "figure": _figure(per_minute),
        "first": _("an hour ago"),
        "last": _("now"),
        "svg": bars_svg(
            counts, label=label, titles=[f"{text}: {n}" for text, n in zip(_minutes(now), counts, strict=True)]
        ),
        "url": "",
    }


def jobs_chart(now: datetime) -> Chart:
    """Draw the jobs that ended in each minute of the last hour, and those that failed. Raises RedisError."""
    finished, failed = ended_per_minute(now=now)
    facts = {"finished": sum(finished), "failed": sum(failed)}
    titles = [
        _("%(time)s: %(finished)d ended, %(failed)d failed") % {"time": text, "finished": done, "failed": bad}
        for text, done, bad in zip(_minutes(now), finished, failed, strict=True)
    ]
    label = _("Last hour: %(finished)d jobs ended, %(failed)d failed.") % facts
    return {
        "title": _("Jobs per minute"),
        "figure": _figure(sum(finished[-6:-1]) / 5),
        "first": _("an hour ago"),
        "last": _("%(finished)s ended, %(failed)s failed")
        % {name: number_format(count, force_grouping=True) for name, count in facts.items()},
        "svg": bars_svg(finished, bad=failed, label=label, titles=titles),
        "url": reverse("admin:tasks_app_queues"),
    }


def alerts_chart(now: datetime) -> Chart:
    """Draw the events of today that call for attention, by the hour, in the reader's zone."""
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    # By the offset: PostgreSQL takes the name of a zone like CET for that of its winter time.
    offset = fixed_zone(midnight.utcoffset() or timedelta())
    alerts = Event.objects.filter(occurred_at__gte=midnight, occurred_at__lte=now).exclude(kind__in=QUIET_KINDS)
    rows = (
        alerts.annotate(hour=TruncHour("occurred_at", tzinfo=offset))
        .values("hour")
        .annotate(count=Count("pk"))
        .order_by()
    )
    counts = [0] * 24
    for row in rows:
        counts[timezone.localtime(row["hour"]).hour] += row["count"]
    titles = [f"{hour:02d}:00: {count}" for hour, count in enumerate(counts)]
    return {
        "title": _("Alerts today"),
        "figure": number_format(sum(counts), force_grouping=True),
        "first": "00:00",
        "last": "24:00",
        "svg": bars_svg(counts, label=_("Alerts of today by the hour, %d in all.") % sum(counts), titles=titles),
        "url": reverse("admin:tasks_app_event_changelist"),
    }


def _figure(number: float) -> str:
    return number_format(number, 1 if number < 10 else 0, force_grouping=True)


def _minutes(now: datetime) -> list[str]:
    minutes = (now - timedelta(minutes=MINUTES - 1 - index) for index in range(MINUTES))
    return [time_format(timezone.localtime(minute)) for minute in minutes]
