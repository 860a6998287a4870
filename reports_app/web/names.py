"""Names that tell reports apart: their kind, subject and period."""

from __future__ import annotations

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from reports_app.models import Report
from reports_app.services.notify import local_days
from tasks_app.geo.days import begins_a_day


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
    zone, span = report.zone, (report.range_start, report.range_end)
    if all(begins_a_day(at, zone) for at in span):
        shown = [date_format(day) for day in local_days(*span, zone)]
    else:
        shown = [date_format(at.astimezone(zone), "SHORT_DATETIME_FORMAT") for at in span]
    return " – ".join(dict.fromkeys(shown))


def period_text(report: Report) -> str:
    """Return the same with the time zone behind it."""
    return f"{days_text(report)} ({report.zone})"
