"""Tasks of the queue "reports". `report_id` is the row of an earlier request; without it the job creates one."""

from __future__ import annotations

from typing import Annotated, Any

from django.conf import settings
from django.utils import timezone

from reports_app.exporters import EXPORTERS
from reports_app.queries import sees_report
from reports_app.services.files import run_export
from reports_app.services.generation import run_device_report, run_fleet_report
from reports_app.services.generation import sweep_stuck_reports as sweep
from reports_app.services.requests import device_kind_choices, run_daily_reports
from reports_app.services.retention import expire_reports as expire
from reports_app.services.retention import remove_old_reports
from reports_app.services.schedules import deliver_run
from reports_app.services.schedules import run_due_report_schedules as run_due
from tasks_app.engine import task
from tasks_app.queries.access import operates_device
from tasks_app.services.argument_bounds import (
    Day,
    Days,
    DeviceId,
    DeviceIds,
    RangeStart,
    RowId,
    WindowSeconds,
)
from tasks_app.services.arguments import OneOf, RangeTime, Reference

ReportId = Annotated[RowId, Reference("report")]
ReportEnd = Annotated[str, RangeTime("end", most_days=lambda: settings.MAX_REPORT_DAYS)]
DeviceReportKind = Annotated[str, OneOf(device_kind_choices)]
Format = Annotated[str, OneOf(lambda: [(name, exporter.label) for name, exporter in EXPORTERS.items()])]


@task(
    queue="reports",
    schedulable=True,
    permission="reports_app.add_report",
    members=operates_device,
    needs_operate=False,
)
def generate_device_report(
    device_id: DeviceId,
    start: RangeStart,
    end: ReportEnd,
    kind: DeviceReportKind = "summary",
    report_id: ReportId | None = None,
) -> dict[str, Any]:
    """Generate a report of one device over a time range."""
    return run_device_report(device_id=device_id, start=start, end=end, kind=kind, report_id=report_id)


@task(queue="reports", schedulable=True, permission="reports_app.add_report", needs_operate=False)
def generate_fleet_report(
    start: RangeStart, end: ReportEnd, device_ids: DeviceIds | None = None, report_id: ReportId | None = None
) -> dict[str, Any]:
    """Generate a report of many devices over a time range; of all of them if none is given."""
    return run_fleet_report(start=start, end=end, device_ids=device_ids, report_id=report_id)


@task(queue="reports", schedulable=True, permission="reports_app.add_report", needs_operate=False)
def generate_daily_reports(day: Day | None = None) -> dict[str, Any]:
    """Generate yesterday's report of every fleet, by its own time zone."""
    return run_daily_reports(day)


@task(
    queue="reports",
    schedulable=True,
    permission="reports_app.view_report",
    members=sees_report,
    needs_operate=False,
)
def export_report_data(report_id: ReportId, format: Format) -> dict[str, Any]:
    """Write a ready report to a file of the given format."""
    return run_export(report_id=report_id, format=format)


@task(queue="reports", schedulable=True)
def sweep_stuck_reports() -> dict[str, int]:
    """Enqueue reports again whose job was lost."""
    return sweep()


@task(queue="cleanup", schedulable=True, permission="reports_app.delete_report")
def expire_reports(dry_run: bool = False, max_seconds: WindowSeconds | None = None) -> dict[str, Any]:
    """Delete content and files of expired reports."""
    return expire(now=timezone.now(), dry_run=dry_run, max_seconds=max_seconds)


@task(queue="reports", schedulable=True)
def run_report_schedules() -> dict[str, int]:
    """Start the runs of report schedules that are due."""
    return run_due(now=timezone.now())


@task(queue="reports", permission="reports_app.change_reportschedule")
def deliver_report_run(run_id: RowId) -> dict[str, Any]:
    """Write the files of a report schedule's run and notify its recipients."""
    return deliver_run(run_id, now=timezone.now())


@task(queue="cleanup", schedulable=True, permission="reports_app.delete_report")
def cleanup_reports(
    days_to_keep: Days | None = None, dry_run: bool = False, max_seconds: WindowSeconds | None = None
) -> dict[str, Any]:
    """Remove rows of old reports without content; ready and unfinished reports stay."""
    return remove_old_reports(now=timezone.now(), days_to_keep=days_to_keep, dry_run=dry_run, max_seconds=max_seconds)
