"""Reports: what was asked for, what came of it, and the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from reports_app.models import Report, ReportFile, ReportState
from reports_app.queries import preview_sections, report_zone
from reports_app.table import Column, ColumnKind, Row, translated
from tasks_app.admin.common import MISSING, ReadOnlyAdmin, badge, format_bytes

STATE_BADGES: dict[str, str] = {
    ReportState.PENDING: "info",
    ReportState.RUNNING: "primary",
    ReportState.READY: "success",
    ReportState.FAILED: "danger",
}
PREVIEW_ROWS = 25


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    list_display = ("heading", "subject", "period", "state_badge", "requested_by", "created_at", "downloads")
    list_filter = ("kind", "state", "fleet")
    list_filter_sheet = False
    list_select_related = ("device", "fleet", "requested_by")
    search_fields = ("device__name", "device__unique_id", "fleet__name", "requested_by__username")
    show_full_result_count = False
    change_form_outer_after_template = "reports_app/admin/report_preview.html"
    fieldsets = (
        (None, {"fields": (("kind", "state_badge"), ("device", "fleet"), ("range_start", "range_end"))}),
        (_("Files"), {"fields": ("downloads",)}),
        (_("Work"), {"fields": (("requested_by", "created_at", "finished_at"), "job_link", "error")}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("files")

    def get_urls(self) -> list[URLPattern]:
        download = self.admin_site.admin_view(self.download_view)
        name = "reports_app_report_download"
        return [path("<int:report_id>/files/<int:file_id>/", download, name=name), *super().get_urls()]

    def download_view(self, request: HttpRequest, report_id: int, file_id: int) -> FileResponse:
        """Send one file to whoever may view reports; files are never served from a public address."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = get_object_or_404(ReportFile, pk=file_id, report_id=report_id)
        try:
            content = found.file.open("rb")
        except FileNotFoundError as error:
            raise Http404(_("The file is no longer there.")) from error
        return FileResponse(content, as_attachment=True, filename=PurePath(str(found.file)).name)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        report = self.get_object(request, object_id)
        sections = preview(report) if self.has_view_permission(request, report) else []
        context = {**(extra_context or {}), "sections": sections, "preview_rows": PREVIEW_ROWS}
        return super().change_view(request, object_id, form_url, context)

    @display(description=_("report"), ordering="kind")
    def heading(self, report: Report) -> str:
        return report.get_kind_display()

    @display(description=_("about"))
    def subject(self, report: Report) -> str:
        return str(report.device or report.fleet or MISSING)

    @display(description=_("period"), ordering="range_start")
    def period(self, report: Report) -> str:
        return f"{report.range_start:%Y-%m-%d %H:%M} – {report.range_end:%Y-%m-%d %H:%M}"

    @display(description=_("state"), ordering="state")
    def state_badge(self, report: Report) -> SafeString:
        return badge(STATE_BADGES.get(report.state, ""), report.get_state_display())

    @display(description=_("files"))
    def downloads(self, report: Report) -> SafeString | str:
        links = (
            (_download_url(found), found.get_format_display(), format_bytes(found.size_bytes))
            for found in report.files.all()
        )
        return format_html_join(" ", '<a class="tk-link" href="{0}" title="{2}">{1}</a>', links) or MISSING

    @display(description=_("job"))
    def job_link(self, report: Report) -> SafeString | str:
        if report.job_id is None:
            return MISSING
        url = reverse("admin:tasks_app_job_change", args=[report.job_id])
        return format_html('<a class="tk-link" href="{}">{}</a>', url, report.job_id)


def _download_url(found: ReportFile) -> str:
    return reverse("admin:reports_app_report_download", args=[found.report_id, found.pk])


def preview(report: Report | None) -> list[dict[str, Any]]:
    """The first rows of each section of a report, as the template shows them."""
    if report is None or report.content is None:
        return []
    zone = report_zone(report)
    return [
        {
            "name": translated(found["section"].name),
            "columns": [translated(column.title) for column in found["section"].columns],
            "rows": [_shown_row(found["section"].columns, row, zone) for row in found["rows"]],
            "total": found["row_count"],
        }
        for found in preview_sections(report.content, report.pk, PREVIEW_ROWS)
    ]


def _shown_row(columns: Sequence[Column], row: Row, zone: ZoneInfo) -> list[Any]:
    return [_shown_cell(column.kind, cell, zone) for column, cell in zip(columns, row, strict=True)]


def _shown_cell(kind: ColumnKind, cell: Any, zone: ZoneInfo) -> Any:
    if cell is None:
        return ""
    if kind is ColumnKind.DATETIME:
        return f"{cell.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    return translated(cell) if kind is ColumnKind.LABEL else cell
