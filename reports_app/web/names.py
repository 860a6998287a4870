"""Names that tell reports apart: their kind, subject and period."""

from __future__ import annotations

from datetime import time

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from reports_app.models import Report
from reports_app.services.notify import local_days


def report_name(report: Report) -> str:
    """Return the whole name: "Trips · Van 1 · 2 Mar 2026 – 8 Mar 2026"."""
    return f"{report.get_kind_display()} · {subject_text(report)} · {days_text(report)}"


def subject_text(report: Report) -> str:
    """Return the device or fleet that a report is about."""
    if report.device_ids is not None:
        return _("%(count)d devices") % {"count": len(report.device_ids)}
    return str(report.device or report.fleet or _("All devices"))


def days_text(report: Report) -> str:
    """Return the days of a report, or its times, in the time zone of the report."""
    zone = report.zone
    start, end = (at.astimezone(zone) for at in (report.range_start, report.range_end))
    if start.time() == end.time() == time():
        shown = [date_format(day) for day in local_days(start, end, zone)]
    else:
        shown = [date_format(at, "SHORT_DATETIME_FORMAT") for at in (start, end)]
    return " – ".join(dict.fromkeys(shown))


def period_text(report: Report) -> str:
    """Return the same with the time zone behind it."""
    return f"{days_text(report)} ({report.zone})"
