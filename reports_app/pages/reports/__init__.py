"""Reports: the list, one report, asking, cancelling, deleting, comparing."""

from django.urls import path

from reports_app.pages.reports.actions import cancel, delete, retry
from reports_app.pages.reports.ask import ask, ask_kind
from reports_app.pages.reports.compare import compare
from reports_app.pages.reports.views import download, report, reports

report_urls = [
    path("reports/", reports, name="reports"),
    path("reports/ask/", ask, name="report_ask"),
    path("reports/ask/<slug:kind>/", ask_kind, name="report_ask_kind"),
    path("reports/<int:report_id>/", report, name="report"),
    path("reports/<int:report_id>/download/<slug:format>/", download, name="report_download"),
    path("reports/<int:report_id>/compare/", compare, name="report_compare"),
    path("reports/<int:report_id>/cancel/", cancel, name="report_cancel"),
    path("reports/<int:report_id>/retry/", retry, name="report_retry"),
    path("reports/<int:report_id>/delete/", delete, name="report_delete"),
]

__all__ = ["report_urls"]
