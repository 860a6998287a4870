"""Admin pages of reports: request, progress, preview, download, retry, cancel, delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from unfold.decorators import display

from reports_app.admin.request_form import ReportRequestForm
from reports_app.api.files import file_response
from reports_app.exceptions import FileNotWritten, FilesOutOfReach, InvalidReport, ReportNotReady, ReportStateConflict
from reports_app.exporters import EXPORTERS
from reports_app.models import UNFINISHED, Report, ReportFile, ReportState
from reports_app.queries import preview_of, read_again, report_display_settings
from reports_app.services.files import find_or_start_export, formats_of
from reports_app.services.generation import cancel_report, delete_report, retry_report
from reports_app.services.requests import REPEATABLE, request_report
from reports_app.web import chart_of, period_text, report_name, route_points, shown_section, subject_text
from tasks_app.admin.common import MISSING, badge, format_seconds, format_time
from tasks_app.admin.jobs import Progress, ReasonForm, job_url, progress_of
from tasks_app.admin.model_admin import ModelAdmin
from tasks_app.engine import EngineError
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import find_job
from tasks_app.utils.clock import exact_day

STATE_BADGES: dict[str, str] = {
    ReportState.PENDING: "info",
    ReportState.RUNNING: "primary",
    ReportState.READY: "success",
    ReportState.FAILED: "danger",
}
PREVIEW_ROWS = 25
LISTED_FORMATS = ("csv", "xlsx", "pdf")
DOWNLOAD_PROBLEMS = (InvalidReport, ReportNotReady, FileNotWritten, FilesOutOfReach, EngineError)


@admin.register(Report)
class ReportAdmin(ModelAdmin):
    """Requests need add_report, cancelling and retrying change_report, deleting delete_report, the rest view_report."""

    form = ReportRequestForm
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    "kind",
                    ("device", "fleet"),
                    "devices",
                    "days",
                    ("first_day", "last_day"),
                    ("fresh", "notify"),
                )
            },
        ),
    )
    fieldsets = add_fieldsets
    autocomplete_fields = ("device", "fleet")
    change_list_template = "reports_app/admin/report_list.html"
    list_display = ("heading", "subject", "period", "state_badge", "progress", "requested_by", "created", "downloads")
    list_filter = ("state", "kind", "fleet")
    linked_lookups = ("device__id__exact",)
    list_filter_sheet = False
    list_select_related = ("device__fleet", "fleet", "requested_by")
    search_fields = ("device__name", "device__unique_id", "fleet__name", "requested_by__username")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("content")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:report_id>/files/<int:file_id>/", view(self.file_view), name="reports_app_report_download"),
            path("<int:report_id>/download/<str:format>/", view(self.download_view), name="reports_app_report_as"),
            path("<int:report_id>/cancel/", view(self.cancel_view), name="reports_app_report_cancel"),
            path("<int:report_id>/retry/", view(self.retry_view), name="reports_app_report_retry"),
            *super().get_urls(),
        ]

    # --- Asking ---

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        one_button = {"show_save_and_continue": False, "show_save_and_add_another": False}
        context = {"title": _("Ask for a report"), **one_button, **(extra_context or {})}
        return super().add_view(request, form_url, context)

    def save_model(self, request: HttpRequest, obj: Report, form: Any, change: bool) -> None:
        data = form.cleaned_data
        report = request_report(
            **data["asked"], requested_by=request.user, fresh=data["fresh"], wants_notice=data["notify"]
        )
        obj.pk, obj.range_start, obj.state = report.pk, report.range_start, report.state

    def response_add(self, request: HttpRequest, obj: Report, post_url_continue: str | None = None) -> HttpResponse:
        text = (
            _("An equal report exists already.")
            if obj.state == ReportState.READY
            else _("The report is being generated.")
        )
        messages.success(request, text)
        return redirect("admin:reports_app_report_change", obj.pk)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_addition(request, Report.objects.get(pk=obj.pk), message)

    # --- Looking ---

    @read_again
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not object_id.isdecimal() or len(object_id) > 18:
            raise Http404
        report = get_object_or_404(
            Report.objects.select_related("device__fleet", "fleet", "requested_by"), pk=int(object_id)
        )
        context = {**self._report_context(request, report), **(extra_context or {})}
        return self._page(request, "reports_app/admin/report.html", context)

    def _report_context(self, request: HttpRequest, report: Report) -> dict[str, Any]:
        sections, series = preview_of(report, rows=PREVIEW_ROWS)
        display = replace(report_display_settings(request.user, report), language=get_language())
        is_live, may_change = report.state in UNFINISHED, request.user.has_perm("reports_app.change_report")
        return {
            "title": report_name(report),
            "report": report,
            "badge": STATE_BADGES.get(report.state, ""),
            "facts": _facts(report),
            "progress": _progress(report),
            "is_live": is_live,
            "formats": _format_links(report),
            "sections": [shown_section(section, display) for section in sections],
            "preview_rows": PREVIEW_ROWS,
            "points": route_points(report) if report.state == ReportState.READY else [],
            "chart": chart_of(series, display, report) if series else None,
            "may_cancel": may_change and is_live,
            "may_retry": may_change and report.state in REPEATABLE,
            "may_delete": self.has_delete_permission(request),
        }

    def file_view(self, request: HttpRequest, report_id: int, file_id: int) -> HttpResponseBase:
        """Send one file to a user who may view reports. Files have no public URLs."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = get_object_or_404(ReportFile.objects.select_related("report"), pk=file_id, report_id=report_id)
        try:
            return file_response(request, found)
        except FilesOutOfReach as error:
            messages.error(request, str(error))
            return redirect("admin:reports_app_report_change", report_id)

    def download_view(self, request: HttpRequest, report_id: int, format: str) -> HttpResponseBase:
        """Send the report in a format, with the user's display settings. A job writes a large one first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        report = get_object_or_404(Report.objects.defer("content"), pk=report_id)
        try:
            found = find_or_start_export(report, format, user=request.user)
            if isinstance(found, ReportFile):
                return file_response(request, found)
        except DOWNLOAD_PROBLEMS as error:
            messages.error(request, str(error))
            return redirect("admin:reports_app_report_change", report.pk)
        messages.info(request, _("The file is being written; download it again once this job has succeeded."))
        return redirect(job_url(found))

    # --- Cancelling, retrying, deleting ---

    def cancel_view(self, request: HttpRequest, report_id: int) -> HttpResponse:
        def cancel(report: Report, form: forms.Form) -> None:
            cancel_report(report, user=request.user, reason=form.cleaned_data["reason"])

        words = {"title": _("Cancel this report?"), "button": _("Cancel the report"), "variant": "danger"}
        return self._confirmed(request, report_id, ReasonForm, cancel, words)

    def retry_view(self, request: HttpRequest, report_id: int) -> HttpResponse:
        words = {"title": _("Make this report again?"), "button": _("Retry"), "variant": "primary"}
        return self._confirmed(request, report_id, forms.Form, lambda report, form: retry_report(report), words)

    def _confirmed(
        self,
        request: HttpRequest,
        report_id: int,
        form_class: type[forms.Form],
        act: Callable[[Report, forms.Form], object],
        words: dict[str, str],
    ) -> HttpResponse:
        """Show the confirmation on GET, act on POST."""
        if not request.user.has_perm("reports_app.change_report"):
            raise PermissionDenied
        report = get_object_or_404(Report.objects.defer("content"), pk=report_id)
        back_url = reverse("admin:reports_app_report_change", args=[report.pk])
        form = form_class(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                act(report, form)
            except (ReportStateConflict, EngineError) as error:
                messages.warning(request, str(error))
            return redirect(back_url)
        context = {**words, "form": form, "facts": _facts(report)[:4], "back_url": back_url}
        return self._page(request, "tasks_app/admin/confirm.html", context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except (ReportStateConflict, EngineError) as error:
            messages.warning(request, str(error))
            return redirect("admin:reports_app_report_change", object_id)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        try:
            return super().changelist_view(request, extra_context)
        except (ReportStateConflict, EngineError) as error:
            if request.method != "POST":  # the action that deletes the chosen ones
                raise
            messages.warning(request, str(error))
            return redirect("admin:reports_app_report_changelist")

    def delete_model(self, request: HttpRequest, obj: Report) -> None:
        delete_report(obj, user=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for report in queryset:
            delete_report(report, user=request.user)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        request.current_app = self.admin_site.name
        whole = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, template, whole)

    # --- Columns ---

    @display(description=gettext_lazy("report"), ordering="kind")
    def heading(self, report: Report) -> str:
        return report.get_kind_display()

    @display(description=gettext_lazy("about"))
    def subject(self, report: Report) -> str:
        return subject_text(report)

    @display(description=gettext_lazy("period"), ordering="range_start")
    def period(self, report: Report) -> str:
        return period_text(report)

    @display(description=gettext_lazy("state"), ordering="state")
    def state_badge(self, report: Report) -> SafeString:
        return badge(STATE_BADGES.get(report.state, ""), report.get_state_display())

    @display(description=gettext_lazy("progress"))
    def progress(self, report: Report) -> str:
        progress = _progress(report)
        return f"{progress.text} {progress.message}".strip() if progress else ""

    @display(description=gettext_lazy("created"), ordering="created_at")
    def created(self, report: Report) -> SafeString | str:
        return format_time(report.created_at)

    @display(description=gettext_lazy("download"))
    def downloads(self, report: Report) -> SafeString | str:
        links = [(link["url"], link["label"]) for link in _format_links(report) if link["format"] in LISTED_FORMATS]
        return format_html_join(" ", '<a class="tk-link" href="{}">{}</a>', links) or MISSING


def _progress(report: Report) -> Progress | None:
    """Return the progress of its job, None without a live job."""
    if report.state not in UNFINISHED or report.job_id is None:
        return None
    # The page decided who may look at it; the job says nothing that the report does not.
    job = find_job(report.job_id, user=SHELL)
    return progress_of(job) if job else None


def _facts(report: Report) -> list[tuple[str, Any]]:
    ran = None
    if report.started_at and report.finished_at:
        ran = (report.finished_at - report.started_at).total_seconds()
    return [
        (_("Report"), report.get_kind_display()),
        (_("About"), subject_text(report)),
        (_("Period"), period_text(report)),
        (_("State"), report.get_state_display()),
        (_("Requested by"), str(report.requested_by or MISSING)),
        (_("Created"), format_time(report.created_at)),
        (_("Took"), format_seconds(ran)),
        (_("Kept until"), exact_day(report.expires_at) if report.expires_at else MISSING),
    ]


def _format_links(report: Report) -> list[dict[str, str]]:
    """Return the links of a ready report's formats."""
    if report.state != ReportState.READY:
        return []
    return [
        {
            "format": name,
            "label": EXPORTERS[name].label,
            "url": reverse("admin:reports_app_report_as", args=[report.pk, name]),
        }
        for name in formats_of(report.kind)
    ]
