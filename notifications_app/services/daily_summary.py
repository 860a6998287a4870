"""The daily summary: one job per subscribed person, one message per job."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4, uuid5

from django.conf import settings
from django.utils.translation import gettext as _

from notifications_app.messages import Spot
from notifications_app.models import NotificationKind, NotificationPreference
from notifications_app.queries.audience import read_people
from notifications_app.queries.summary import fleet_summaries
from notifications_app.rendering import Message
from notifications_app.services.alerts import job_dedupe_key
from notifications_app.services.notify import notify_with_message
from tasks_app.engine import PermanentError, current_job, get_task


def fan_out_daily_summaries() -> int:
    """Enqueue one job per active subscriber; return how many. Run again by the same job it makes the same jobs."""
    subscribers = NotificationPreference.objects.filter(daily_summary=True, user__is_active=True)
    user_ids = list(subscribers.order_by("user_id").values_list("user_id", flat=True))
    parent = UUID(str(current_job().id or uuid4()))
    for user_id in user_ids:
        get_task("send_daily_summary").apply_async((user_id,), job_id=uuid5(parent, f"daily-summary:{user_id}"))
    return len(user_ids)


def send_summary(*, user_id: int, now: datetime) -> list[int]:
    """Write the summary of the last 24 hours for one active user; return the notification ids (none if sent before)."""
    people = read_people([user_id])
    if not people:
        raise PermanentError(_("There is no active user %(id)s.") % {"id": user_id})
    summaries = fleet_summaries(people[0], now=now)
    message = Message(NotificationKind.DAILY_SUMMARY, {"fleets": summaries, "spot": Spot(now)})
    return notify_with_message(
        message, people=people, dedupe_key=job_dedupe_key(), now=now, fallback_zone=settings.TIME_ZONE
    )
