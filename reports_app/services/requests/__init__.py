"""Requests for reports: checked, answered by a report that is still fresh, or written and enqueued."""

from reports_app.services.requests.daily import INVALID_ZONE, run_daily_reports
from reports_app.services.requests.requesting import (
    DEVICE_KINDS,
    MAX_DEVICES,
    REPEATABLE,
    REPORT_TASKS,
    check_kind,
    check_year,
    checked_request,
    create_report,
    device_kind_choices,
    enqueue_report,
    report_for_job,
    request_report,
    revive_report,
    task_name_of,
)

__all__ = [
    "DEVICE_KINDS",
    "INVALID_ZONE",
    "MAX_DEVICES",
    "REPEATABLE",
    "REPORT_TASKS",
    "check_kind",
    "check_year",
    "checked_request",
    "create_report",
    "device_kind_choices",
    "enqueue_report",
    "report_for_job",
    "request_report",
    "revive_report",
    "run_daily_reports",
    "task_name_of",
]
