"""Report schedules: the list, making and changing one, switching, running now, removing."""

from django.urls import path

from reports_app.pages.schedules.views import add, edit, remove, run, schedules, switch_schedule

schedule_urls = [
    path("reports/schedules/", schedules, name="report_schedules"),
    path("reports/schedules/add/", add, name="report_schedule_add"),
    path("reports/schedules/<int:schedule_id>/", edit, name="report_schedule"),
    path("reports/schedules/<int:schedule_id>/switch/", switch_schedule, name="report_schedule_switch"),
    path("reports/schedules/<int:schedule_id>/run/", run, name="report_schedule_run"),
    path("reports/schedules/<int:schedule_id>/remove/", remove, name="report_schedule_remove"),
]

__all__ = ["schedule_urls"]
