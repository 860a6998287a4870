"""The pages of reports in the side bar, and the link from a device to a report of its positions."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks_app.admin.calls import ScheduleNote, register_schedule_note
from tasks_app.admin.devices import Link, register_positions_link
from tasks_app.admin.navigation import Page, register_fleet_pages
from tasks_app.web.empty_pages import register_empty_hints


def export_link(request: HttpRequest, device_id: int) -> Link | None:
    """Return the link to the form that requests the positions of a device, None for users who may not request reports."""
    if not request.user.has_perm("reports_app.add_report"):
        return None
    return Link(_("Export positions"), f"{reverse('admin:reports_app_report_add')}?kind=detailed&device={device_id}")


register_fleet_pages(
    Page(gettext_lazy("Reports"), "summarize", "reports_app", "report"),
    Page(gettext_lazy("Report schedules"), "event_repeat", "reports_app", "reportschedule"),
)
register_positions_link(export_link)
register_schedule_note(
    ("generate_device_report", "generate_fleet_report", "generate_daily_reports"),
    ScheduleNote(
        text=gettext_lazy("A report schedule also sends the report to people, as files of your choice."),
        link_text=gettext_lazy("Add a report schedule"),
        url_name="admin:reports_app_reportschedule_add",
        permission="reports_app.add_reportschedule",
    ),
)
register_empty_hints(
    {
        "reports_app.report": gettext_lazy(
            "Trips, stops, summaries and more of devices or fleets. Ask for the first one."
        ),
        "reports_app.reportschedule": gettext_lazy(
            "Reports that come every day, week or month, by e-mail. Add the first one."
        ),
    }
)
