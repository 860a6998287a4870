"""Addresses of reports, under /api/."""

from __future__ import annotations

from django.urls import path

from reports_app.api.downloads import ReportDownloadView
from reports_app.api.reports import ReportCancelView, ReportDetailView, ReportListView, ReportRetryView
from reports_app.api.requests import DailyReportView, DeviceReportView, ExportView, FleetReportView

api_urls = [
    path("tasks/report/device", DeviceReportView.as_view(), name="report-device"),
    path("tasks/report/fleet", FleetReportView.as_view(), name="report-fleet"),
    path("tasks/report/daily", DailyReportView.as_view(), name="report-daily"),
    path("tasks/report/export", ExportView.as_view(), name="report-export"),
    path("reports/", ReportListView.as_view(), name="report-list"),
    path("reports/<int:report_id>", ReportDetailView.as_view(), name="report-detail"),
    path("reports/<int:report_id>/cancel", ReportCancelView.as_view(), name="report-cancel"),
    path("reports/<int:report_id>/retry", ReportRetryView.as_view(), name="report-retry"),
    path("reports/<int:report_id>/download", ReportDownloadView.as_view(), name="report-download"),
]
