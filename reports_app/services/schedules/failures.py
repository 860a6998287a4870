"""Failed runs: recorded, counted on the schedule and notified to its owner; too many in a row switch it off."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot
from notifications_app.models import AttemptOutcome, Delivery, DeliveryState
from notifications_app.queries.audience import language_of, read_people
from notifications_app.services.notifications import notify_with_message
from reports_app.exceptions import MAX_ERROR_LENGTH
from reports_app.message_kinds import REPORT_FAILED
from reports_app.models import ReportSchedule, ReportScheduleRun, RunState
from reports_app.periods import next_due
from reports_app.queries import failure_key
from reports_app.services.notify import local_days
from reports_app.services.requests import INVALID_ZONE
from tasks_app.engine.records import FinishedJob


def run_failed(schedule_id: int, run_id: int | None, error: str, *, now: datetime) -> None:
    """Record the failure of a run, and switch its schedule off after REPORT_SCHEDULE_MAX_FAILURES in a row."""
    error = error.replace("\x00", "")[:MAX_ERROR_LENGTH]
    with transaction.atomic():
        schedules = ReportSchedule.objects.select_for_update(of=("self",)).select_related("owner")
        schedule = schedules.filter(pk=schedule_id).first()
        if schedule is None:
            # Deleted since the run began.
            return
        ReportScheduleRun.objects.filter(pk__in=[run_id]).update(state=RunState.FAILED, error=error, finished_at=now)
        schedule.failure_count += 1
        schedule.last_error = error
        if run_id is None:  # it did not come as far as a run, which would have planned the next one
            schedule.next_due_at = _next_try(schedule, now)
        if schedule.failure_count >= settings.REPORT_SCHEDULE_MAX_FAILURES or schedule.next_due_at is None:
            schedule.is_active, schedule.next_due_at = False, None
        schedule.save(update_fields=["failure_count", "last_error", "is_active", "next_due_at"])
        _notify_owner(schedule, run_id, now)


def switch_off_without_devices(schedule_ids: Collection[int], name: str, *, now: datetime) -> None:
    """Switch off the schedules that have no device left, now that the device of this name is deleted: without one they
    would be about the whole fleet. Owners of those that are off already are notified, too, before they switch them on."""
    lost = ReportSchedule.objects.filter(pk__in=schedule_ids, devices=None)
    for schedule in lost.select_related("owner").select_for_update(of=("self",)):
        schedule.is_active, schedule.next_due_at, schedule.failure_count = False, None, 0
        with override(language_of(schedule.owner)):
            schedule.last_error = _("Its last device, “%(name)s”, was deleted.") % {"name": name}
        schedule.save(update_fields=["failure_count", "last_error", "is_active", "next_due_at"])
        _notify_owner(schedule, None, now.replace(second=0, microsecond=0))  # once for devices deleted together


def follow_deliveries(jobs: Iterable[FinishedJob]) -> None:
    """End the runs whose delivery failed or was cancelled."""
    for job in jobs:
        if job.task == "deliver_report_run":
            going_on = ReportScheduleRun.objects.filter(pk__in=job.args[:1], state=RunState.RUNNING)
            for run in going_on:
                run_failed(run.schedule_id, run.pk, job.error_message or str(job.state), now=timezone.now())


def note_undelivered(delivery: Delivery, reason: str, *, now: datetime) -> None:
    """Note whom a delivered run did not reach, and why; the run failed if that leaves nobody whom it reached or may reach."""
    runs = ReportScheduleRun.objects.filter(notifications=delivery.notification_id, state=RunState.DELIVERED)
    run = runs.select_for_update(of=("self",)).first()
    if run is None:
        return
    note = _note(delivery, reason)
    error = run.error if note in run.error else f"{run.error} {note}".strip()
    reached = Delivery.objects.filter(notification__in=run.notifications.all()).exclude(state=DeliveryState.FAILED)
    if reached.exists():
        ReportScheduleRun.objects.filter(pk=run.pk).update(error=error[:MAX_ERROR_LENGTH])
    else:
        run_failed(run.schedule_id, run.pk, error, now=now)


def note_delivered(delivery: Delivery) -> None:
    """Take back that the run of this delivery did not reach its recipient: it did when it was tried again.

    A schedule that was switched off for that stays off, as a person may know better why.
    """
    runs = ReportScheduleRun.objects.filter(notifications=delivery.notification_id).exclude(state=RunState.RUNNING)
    run = runs.select_for_update(of=("self",)).first()
    if run is None:
        return
    error = run.error
    for answer in delivery.attempts.filter(outcome=AttemptOutcome.FAILED).values_list("answer", flat=True):
        before, _note_on_it, after = error.partition(_note(delivery, answer))
        error = f"{before.rstrip()} {after.lstrip()}".strip()
    ReportScheduleRun.objects.filter(pk=run.pk).update(state=RunState.DELIVERED, error=error)
    later = ReportScheduleRun.objects.filter(schedule=run.schedule_id, pk__gt=run.pk)
    if run.state == RunState.FAILED and not later.exists():
        run_succeeded(run.schedule_id)


def _note(delivery: Delivery, reason: str) -> str:
    user = delivery.notification.user
    whom = delivery.notification.on_behalf_to or user.get_full_name() or user.get_username()
    return f"{whom}: {reason}"


def run_succeeded(schedule_id: int) -> None:
    """Reset the failures of a schedule."""
    ReportSchedule.objects.filter(pk=schedule_id).update(failure_count=0, last_error="")


def days_of_run(run: ReportScheduleRun) -> dict[str, Any]:
    """Return the first and the last local day of a run, as context for templates."""
    try:
        zone = run.schedule.rhythm.zone
    except INVALID_ZONE:
        zone = ZoneInfo("UTC")
    first_day, last_day = local_days(run.range_start, run.range_end, zone)
    return {"first_day": first_day, "last_day": last_day}


def _next_try(schedule: ReportSchedule, now: datetime) -> datetime | None:
    """Return the next due time, None if its time zone is unknown."""
    try:
        return next_due(schedule.rhythm, now)
    except INVALID_ZONE:
        return None


def _notify_owner(schedule: ReportSchedule, run_id: int | None, now: datetime) -> None:
    run = ReportScheduleRun.objects.select_related("schedule").filter(pk__in=[run_id]).first()
    days = days_of_run(run) if run else {}
    context = {
        **days,
        "heading": schedule.name,
        "schedule": schedule.name,
        "error": schedule.last_error,
        "is_switched_off": not schedule.is_active,
        "failure_count": schedule.failure_count,
        "spot": Spot(now),
    }
    notify_with_message(
        Message(REPORT_FAILED.kind, context),
        people=read_people([schedule.owner_id]),
        dedupe_key=failure_key(schedule, run_id, now),
        now=now,
    )
