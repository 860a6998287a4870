"""Creating, editing and deleting schedules outside of the admin (which keeps its own log): audited the same way."""

from __future__ import annotations

from datetime import datetime

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _
from django_q.models import Schedule

from tasks_app.services.schedules import save_schedule


@transaction.atomic
def store_schedule(schedule: Schedule, *, user: User, time_zone: str, now: datetime) -> Schedule:
    """Check and save a new or edited row. Raises ValidationError with an error per field, TaskNotPermitted."""
    is_new = schedule.pk is None
    saved = save_schedule(schedule, user=user, time_zone=time_zone, now=now)
    LogEntry.objects.log_actions(
        user.pk, [saved], ADDITION if is_new else CHANGE, _("Through the API"), single_object=True
    )
    return saved


@transaction.atomic
def delete_schedule(schedule: Schedule, *, user: User) -> None:
    """Delete the row; the job it made last goes on."""
    LogEntry.objects.log_actions(user.pk, [schedule], DELETION, _("Through the API"), single_object=True)
    schedule.delete()
