"""The daily summary: one job per subscribed person, one message per job."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from notifications_app.matching.delivery_times import is_due_daily
from notifications_app.messages.kinds.daily_summary import daily_summary_message
from notifications_app.models import Notification, NotificationKind, NotificationPreference
from notifications_app.queries.audience import read_people, time_zone_or_default
from notifications_app.queries.summary import fleet_summaries
from notifications_app.services.notifications import job_dedupe_key, notify_with_message
from tasks_app.engine import PermanentError, current_job, get_task
from tasks_app.queries.access import visible_fleets

CATCH_UP = timedelta(hours=3)


def fan_out_daily_summaries() -> int:
    """Enqueue one job per active subscriber; return their number. The same job gives the same job ids again."""
    subscribers = NotificationPreference.objects.filter(daily_summary=True, user__is_active=True)
    user_ids = list(subscribers.order_by("user_id").values_list("user_id", flat=True))
    parent = UUID(str(current_job().id or uuid4()))
    for user_id in user_ids:
        get_task("send_daily_summary").apply_async((user_id,), job_id=uuid5(parent, f"daily-summary:{user_id}"))
    return len(user_ids)


def start_due_summaries(*, now: datetime) -> int:
    """Enqueue the summaries that became due lately, in each subscriber's time zone; return their number.

    The job's id names person and day, so a summary is sent once a day however often this runs, and after an outage of
    up to CATCH_UP it is sent late rather than not at all.
    """
    subscribers = NotificationPreference.objects.filter(daily_summary=True, user__is_active=True).order_by("user_id")
    started = 0
    for user_id, at, zone in subscribers.values_list("user_id", "daily_summary_at", "time_zone"):
        due_at = is_due_daily(at, time_zone_or_default(zone), now, within=CATCH_UP)
        if due_at is None or _was_sent(user_id, due_at):
            continue
        job_id = uuid5(NAMESPACE_URL, f"daily-summary:{user_id}:{due_at:%Y-%m-%d}")
        get_task("send_daily_summary").apply_async((user_id,), job_id=job_id)
        started += 1
    return started


def _was_sent(user_id: int, due_at: datetime) -> bool:
    sent = Notification.objects.filter(user=user_id, kind=NotificationKind.DAILY_SUMMARY)
    return sent.filter(created_at__gte=due_at).exists()


def send_summary(*, user_id: int, now: datetime) -> list[int]:
    """Write the summary of the last 24 hours for one active user; return the notification ids (none if sent before)."""
    people = read_people([user_id])
    if not people:
        raise PermanentError(_("There is no active user %(id)s.") % {"id": user_id})
    named = list(visible_fleets(people[0]).order_by("pk").values_list("pk", flat=True))
    message = daily_summary_message(fleet_summaries(people[0], now=now), at=now)
    with transaction.atomic():
        new_ids = notify_with_message(
            message, people=people, dedupe_key=job_dedupe_key(), now=now, fallback_zone=settings.TIME_ZONE
        )
        Notification.objects.filter(pk__in=new_ids).update(named_fleet_ids=named)
    return new_ids
