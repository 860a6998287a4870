"""Runs of report schedules.

A run is identified by schedule and due time, so starting it twice makes one row. Its reports are separate jobs; once
all of them have ended, a further job writes the files and notifies the recipients.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import override

from notifications_app.queries.audience import language_of
from reports_app.exceptions import InvalidReport
from reports_app.models import UNFINISHED, Report, ReportSchedule, ReportScheduleRun, RunState, SchedulePeriod
from reports_app.periods import covered_range, due_since, next_due
from reports_app.queries import ADD_SCHEDULES
from reports_app.services.requests import DEVICE_KINDS, request_report
from reports_app.services.schedules.failures import run_failed
from tasks_app.engine import QueueFull, QueueUnavailable, get_task
from tasks_app.models import Device
from tasks_app.queries.access import has_right
from tasks_app.services.audit import record, subject_of_row
from tasks_app.services.rows import hold_row

logger = logging.getLogger(__name__)

MAX_RUNS_PER_TICK = 200
# The longest time from one due time to the next, with a clock change in it, and some.
_LONGEST = {
    SchedulePeriod.DAILY: timedelta(days=2),
    SchedulePeriod.WEEKLY: timedelta(days=8),
    SchedulePeriod.MONTHLY: timedelta(days=32),
}
DATABASE_AWAY = (OperationalError, InterfaceError)


def run_due_report_schedules(*, now: datetime) -> dict[str, int]:
    """Start the runs that are due; return {"started", "failed", "delivering"}.

    A schedule that fails is recorded and does not keep others from running.
    """
    _bring_back(now)
    counts = {"started": 0, "failed": 0}
    due = ReportSchedule.objects.filter(is_active=True, next_due_at__lte=now, owner__is_active=True)
    for schedule_id in due.order_by("next_due_at").values_list("pk", flat=True)[:MAX_RUNS_PER_TICK]:
        outcome = _run_if_due(schedule_id, now)
        if outcome is not None:
            counts["started" if outcome else "failed"] += 1
    return {**counts, "delivering": advance_runs()}


def _bring_back(now: datetime) -> None:
    """Give their next time to schedules that are due much later than their rhythm has it: a clock was ahead when they ran."""
    ahead = [Q(period=period, next_due_at__gt=now + longest) for period, longest in _LONGEST.items()]
    for schedule in ReportSchedule.objects.filter(reduce(or_, ahead), is_active=True):
        following = next_due(schedule.rhythm, now)
        rows = ReportSchedule.objects.filter(pk=schedule.pk, next_due_at=schedule.next_due_at)
        if rows.update(next_due_at=following):
            words = schedule.pk, schedule.next_due_at, following
            logger.warning("Report schedule %s is due at %s, by a clock that was ahead: it is at %s again", *words)


def run_now(schedule: ReportSchedule, *, now: datetime) -> ReportScheduleRun:
    """Run a schedule at once over the last whole period. Its due times do not change. Raises RowGone."""
    with transaction.atomic():
        hold_row(schedule)
        record("run_report_schedule", subject_of_row(schedule))
        return _start(ReportScheduleRun(schedule=schedule, due_at=now), now)


def advance_runs(report_id: int | None = None) -> int:
    """Enqueue the delivery of runs whose reports have all ended (of one report, or any); return how many."""
    runs = ReportScheduleRun.objects.filter(state=RunState.RUNNING)
    runs = runs if report_id is None else runs.filter(reports=report_id)
    unfinished = Report.objects.filter(state__in=UNFINISHED)
    ready = list(runs.exclude(reports__in=unfinished).order_by("pk").values_list("pk", flat=True)[:MAX_RUNS_PER_TICK])
    for run_id in ready:
        try:
            get_task("deliver_report_run").apply_async((run_id,), unique_key=f"report-run:{run_id}")
        except (QueueFull, QueueUnavailable) as error:
            logger.warning("Runs of report schedules are left to the next tick: %s", error)
            break
    return len(ready)


def _run_if_due(schedule_id: int, now: datetime) -> bool | None:
    """Run one schedule unless another process holds it; return whether it succeeded, None if nothing was due."""
    try:
        with transaction.atomic():
            schedule = (
                ReportSchedule.objects.select_for_update(skip_locked=True, of=("self",))
                .select_related("owner", "fleet")
                .filter(pk=schedule_id, is_active=True, next_due_at__lte=now)
                .first()
            )
            if schedule is None or schedule.next_due_at is None:
                return None
            return _run(schedule, schedule.next_due_at, now)
    except DATABASE_AWAY:
        raise
    except Exception as error:
        logger.exception("Report schedule %s cannot run", schedule_id)
        run_failed(schedule_id, None, f"{type(error).__name__}: {error}", now=now)
        return False


def _run(schedule: ReportSchedule, planned: datetime, now: datetime) -> bool | None:
    due = due_since(schedule.rhythm, planned, now, catch_up=timedelta(days=settings.REPORT_CATCH_UP_DAYS))
    schedule.next_due_at = next_due(schedule.rhythm, now)
    schedule.save(update_fields=["next_due_at"])
    if due is None or ReportScheduleRun.objects.filter(schedule=schedule, due_at=due).exists():
        return None
    return _start(ReportScheduleRun(schedule=schedule, due_at=due), now).state != RunState.FAILED


def _start(run: ReportScheduleRun, now: datetime) -> ReportScheduleRun:
    """Create the run and request its reports. If they cannot be requested, the run fails with the reason."""
    schedule = run.schedule
    run.range_start, run.range_end = covered_range(schedule.rhythm, run.due_at)
    with transaction.atomic():
        run.save()
        try:
            with transaction.atomic(), override(language_of(schedule.owner)):
                run.reports.set(_request_reports(run))
        except InvalidReport as error:
            run_failed(schedule.pk, run.pk, str(error), now=now)
            run.refresh_from_db()
    return run


def _request_reports(run: ReportScheduleRun) -> list[Report]:
    """Request one report per kind, or per device for kinds about one device, of the devices that the owner may see now."""
    schedule = run.schedule
    if not has_right(schedule.owner, schedule.fleet, ADD_SCHEDULES):
        raise InvalidReport("owner_without_fleet", _("Its owner is no longer an operator of the fleet."))
    span: dict[str, Any] = {"range_start": run.range_start, "range_end": run.range_end, "requested_by": schedule.owner}
    devices = list(schedule.devices.filter(fleet=schedule.fleet).order_by("name", "pk"))
    if not devices and schedule.devices.exists():
        raise InvalidReport("no_devices", _("None of its devices is in the fleet any longer."))
    every = devices or list(Device.objects.filter(fleet=schedule.fleet, is_active=True).order_by("name", "pk"))
    reports = []
    for kind in schedule.kinds:
        if kind in DEVICE_KINDS:
            reports += [request_report(kind=kind, device=device, follow=False, **span) for device in every]
        else:
            chosen = [device.pk for device in devices] or None
            reports.append(request_report(kind=kind, fleet=schedule.fleet, device_ids=chosen, follow=False, **span))
    if not reports:
        raise InvalidReport("no_devices", _("The fleet has no active device."))
    return reports
