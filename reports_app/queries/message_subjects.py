"""Subjects of messages about reports, kept in their dedupe keys, and the rights on them.

The keys are stored, so messages that wait during an upgrade are checked, too.
"""

from __future__ import annotations

import re
from datetime import datetime

from notifications_app.models import Notification
from reports_app.models import Report, ReportSchedule, ReportScheduleRun
from reports_app.queries.access import CHANGE_SCHEDULES, VIEW_REPORTS, visible_report
from tasks_app.queries.access import has_right, visible_fleets

_SUBJECT = re.compile(r"(report|report-run|report-schedule):(\d+)(?::|$)")


def report_key(report: Report, outcome: str) -> str:
    """Return the key of a message about a report. One that is generated again is notified again: it has another job."""
    return f"report:{report.pk}:{report.job_id}:{outcome}"


def run_key(run: ReportScheduleRun) -> str:
    """Return the key of the message with the reports of a run."""
    return f"report-run:{run.pk}"


def failure_key(schedule: ReportSchedule, run_id: int | None, now: datetime) -> str:
    """Return the key of the message about a failed run of a schedule."""
    return f"report-schedule:{schedule.pk}:{run_id}:{now.isoformat()}:failed"


def sees_subject(notification: Notification) -> bool:
    """Return whether the user of a message about reports may see now what it is about: the report, or the fleet of the
    schedule, which for an address without an account the user must still manage.
    """
    found = _SUBJECT.match(notification.dedupe_key)
    if found is None:
        return True
    kind, number = found[1], int(found[2])
    if kind == "report":
        return visible_report(notification.user, number) is not None
    about = {"runs": number} if kind == "report-run" else {"pk": number}
    schedule = ReportSchedule.objects.select_related("fleet").filter(**about).first()
    if schedule is None:
        return False
    if notification.on_behalf_to:
        return has_right(notification.user, schedule.fleet, CHANGE_SCHEDULES)
    return visible_fleets(notification.user, VIEW_REPORTS).filter(pk=schedule.fleet_id).exists()
