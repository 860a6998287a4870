"""Single reports: by id, and the settings in which a user reads them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from notifications_app.models import NotificationPreference
from reports_app.exceptions import InvalidReport
from reports_app.models import Report
from reports_app.table import DisplaySettings


def find_report(report_id: int) -> Report:
    """Return the report without its content. Raises InvalidReport (unknown_report)."""
    report = Report.objects.defer("content").select_related("device__fleet", "fleet").filter(pk=report_id).first()
    if report is None:
        raise unknown_report(report_id)
    return report


def report_display_settings(user: Any, report: Report) -> DisplaySettings:
    """Return the display settings of `user` (None: the defaults) for this report."""
    return display_settings_of(user, str(report.zone))


def display_settings_of(user: Any, report_zone: str) -> DisplaySettings:
    """Return the display settings of `user` for a report in `report_zone`. Defaults: LANGUAGE_CODE, the report's zone,
    metric units; the zone's also for a user who chose none."""
    preference = NotificationPreference.objects.filter(user=user).first() if user is not None else None
    if preference is None:
        return DisplaySettings(settings.LANGUAGE_CODE, report_zone)
    return DisplaySettings(preference.language, preference.time_zone or report_zone, preference.units)


def unknown_report(report_id: int) -> InvalidReport:
    return InvalidReport("unknown_report", _("There is no report %(id)s.") % {"id": report_id}, field="report_id")
