"""Tasks of the queue "reports". `report_id` names a row that was requested before; without it the job writes its own."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from reports_app.queries import sees_report
from reports_app.services.files import run_export
from reports_app.services.generation import run_device_report, run_fleet_report
from reports_app.services.generation import sweep_stuck_reports as sweep
from reports_app.services.requests import run_daily_reports
from reports_app.services.retention import expire_reports as expire
from reports_app.services.retention import remove_old_reports
from reports_app.services.schedules import deliver_run
from reports_app.services.schedules import run_due_report_schedules as run_due
from tasks_app.engine import task
from tasks_app.queries.access import operates_device
from tasks_app.services.argument_bounds import Days, RowId, WindowSeconds


@task(queue="reports", schedulable=True, permission="reports_app.add_report", members=operates_device)
def generate_device_report(
    device_id: RowId, start: str, end: str, kind: str = "summary", report_id: RowId | None = None
) -> dict[str, Any]:
    """Write a report of one device over [start, end): summary, detailed, route, trips, stops, events, visits,
    overspeed or fuel."""
    return run_device_report(device_id=device_id, start=start, end=end, kind=kind, report_id=report_id)


@task(queue="reports", schedulable=True, permission="reports_app.add_report")
def generate_fleet_report(
    start: str, end: str, device_ids: list[int] | None = None, report_id: RowId | None = None
) -> dict[str, Any]:
    """Write a report of many devices over [start, end); all of them when none is named."""
    return run_fleet_report(start=start, end=end, device_ids=device_ids, report_id=report_id)


@task(queue="reports", schedulable=True, permission="reports_app.add_report")
def generate_daily_reports(day: str | None = None) -> dict[str, Any]:
    """Write yesterday's report of every fleet, each in its own time zone, once."""
    return run_daily_reports(day)


@task(queue="reports", schedulable=True, permission="reports_app.view_report", members=sees_report)
def export_report_data(report_id: RowId, format: str) -> dict[str, Any]:
    """Write a ready report to a file of the format that is named (json, csv, xlsx, pdf, geojson, gpx, kml)."""
    return run_export(report_id=report_id, format=format)


@task(queue="reports", schedulable=True)
def sweep_stuck_reports() -> dict[str, int]:
    """Bring back reports whose job was lost."""
    return sweep()


@task(queue="cleanup", schedulable=True, permission="reports_app.delete_report")
def expire_reports(dry_run: bool = False, max_seconds: WindowSeconds | None = None) -> dict[str, Any]:
    """Take content and files from reports that are older than they are kept."""
    return expire(now=timezone.now(), dry_run=dry_run, max_seconds=max_seconds)


@task(queue="reports", schedulable=True)
def run_report_schedules() -> dict[str, int]:
    """Start the scheduled reports that are due."""
    return run_due(now=timezone.now())


@task(queue="reports", permission="reports_app.change_reportschedule")
def deliver_report_run(run_id: RowId) -> dict[str, Any]:
    """Write the files of a run of a report schedule and tell its recipients."""
    return deliver_run(run_id, now=timezone.now())


@task(queue="cleanup", schedulable=True, permission="reports_app.delete_report")
def cleanup_reports(
    days_to_keep: Days | None = None, dry_run: bool = False, max_seconds: WindowSeconds | None = None
) -> dict[str, Any]:
    """Remove what was asked for of reports that ended so long ago; what is ready or being made stays."""
    return remove_old_reports(now=timezone.now(), days_to_keep=days_to_keep, dry_run=dry_run, max_seconds=max_seconds)
