"""URLs of reports under /api/."""

from __future__ import annotations

from django.urls import path

from reports_app.api.downloads import ReportDownloadView, ReportPreviewView
from reports_app.api.report_schedules import (
    ReportScheduleDisableView,
    ReportScheduleEnableView,
    ReportScheduleListView,
    ReportScheduleRunNowView,
    ReportScheduleRunsView,
    ReportScheduleView,
)
from reports_app.api.reports import ReportCancelView, ReportDetailView, ReportListView, ReportRetryView
from reports_app.api.requests import DailyReportView, DeviceReportView, ExportView, FleetReportView

api_urls = [
    path("tasks/report/device", DeviceReportView.as_view(), name="report-device"),
    path("tasks/report/fleet", FleetReportView.as_view(), name="report-fleet"),
    path("tasks/report/daily", DailyReportView.as_view(), name="report-daily"),
    path("tasks/report/export", ExportView.as_view(), name="report-export"),
    path("reports", ReportListView.as_view(), name="report-list"),
    path("reports/<int:report_id>", ReportDetailView.as_view(), name="report-detail"),
    path("reports/<int:report_id>/cancel", ReportCancelView.as_view(), name="report-cancel"),
    path("reports/<int:report_id>/retry", ReportRetryView.as_view(), name="report-retry"),
    path("reports/<int:report_id>/download", ReportDownloadView.as_view(), name="report-download"),
    path("reports/<int:report_id>/preview", ReportPreviewView.as_view(), name="report-preview"),
    path("report-schedules", ReportScheduleListView.as_view(), name="report-schedules"),
    path("report-schedules/<int:schedule_id>", ReportScheduleView.as_view(), name="report-schedule"),
    path("report-schedules/<int:schedule_id>/runs", ReportScheduleRunsView.as_view(), name="report-schedule-runs"),
    path(
        "report-schedules/<int:schedule_id>/run-now", ReportScheduleRunNowView.as_view(), name="report-schedule-run-now"
    ),
    path(
        "report-schedules/<int:schedule_id>/enable", ReportScheduleEnableView.as_view(), name="report-schedule-enable"
    ),
    path(
        "report-schedules/<int:schedule_id>/disable",
        ReportScheduleDisableView.as_view(),
        name="report-schedule-disable",
    ),
]
