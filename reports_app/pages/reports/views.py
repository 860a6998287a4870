"""The list of reports, one report with its chart and map, and its files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from reports_app.api.files import file_response
from reports_app.exceptions import FileNotWritten, FilesOutOfReach, InvalidReport, ReportNotReady
from reports_app.exporters import EXPORTERS
from reports_app.models import UNFINISHED, Report, ReportFile, ReportState
from reports_app.queries import (
    ASK_FOR_REPORTS,
    CHANGE_REPORTS,
    DELETE_REPORTS,
    may_change_report,
    preview_of,
    read_again,
    report_display_settings,
    visible_report,
    visible_reports,
)
from reports_app.services.files import find_or_start_export, formats_of, report_link
from reports_app.services.requests import REPEATABLE
from reports_app.web import chart_of, period_text, report_name, route_points, shown_section
from tasks_app.engine import EngineError
from tasks_app.queries.access import SHELL, rights_somewhere, visible_devices
from tasks_app.queries.jobs import find_job

PER_PAGE = 30
PREVIEW_ROWS = 25
KINDS_OF_STATES = {
    ReportState.PENDING: "info",
    ReportState.RUNNING: "info",
    ReportState.READY: "success",
    ReportState.FAILED: "danger",
    ReportState.CANCELLED: "",
    ReportState.EXPIRED: "",
}
DOWNLOAD_PROBLEMS = (InvalidReport, ReportNotReady, FileNotWritten, FilesOutOfReach, EngineError)


def find_report(request: HttpRequest, report_id: int) -> Report:
    """Return the report with its content if the user may see it. Raises Http404."""
    found = visible_report(request.user, report_id)
    if found is None:
        raise Http404
    return found


@login_required
@require_safe
def reports(request: HttpRequest) -> HttpResponse:
    """List the reports that the user may see, newest first; with ?device= those about one device."""
    found = visible_reports(request.user)
    device = None
    if request.GET.get("device", "").isdecimal() and len(request.GET["device"]) < 19:
        device = visible_devices(request.user).filter(pk=int(request.GET["device"])).first()
    if device is not None:
        found = found.filter(device=device)
    if is_own := request.GET.get("whose") == "own":
        found = found.filter(requested_by=request.user.pk)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "title": _("Reports"),
        "page": page,
        "rows": [_row(each) for each in page],
        "device": device,
        "is_own": is_own,
        "is_live": any(each.state in UNFINISHED for each in page),
        "may_ask": bool(rights_somewhere(request.user, {ASK_FOR_REPORTS})),
    }
    return render(request, "reports_app/pages/reports.html", context)


def _row(report: Report) -> dict[str, Any]:
    return {
        "report": report,
        "name": report_name(report),
        "state_kind": KINDS_OF_STATES[ReportState(report.state)],
        "progress": progress_text(report),
    }


def progress_text(report: Report) -> str:
    """Return how far the job of an unfinished report is, "" without a job or progress."""
    progress = _job_progress(report)
    if not progress:
        return ""
    current, total = progress.get("current") or 0, progress.get("total")
    count = f"{current} / {total}" if total else f"{current}"
    return f"{count} {progress.get('message') or ''}".strip()


def _job_progress(report: Report) -> dict[str, Any]:
    if report.state not in UNFINISHED or report.job_id is None:
        return {}
    # The report decided that the user may see it; the job says nothing that the report does not.
    job = find_job(report.job_id, user=SHELL)
    return (job.progress if job else None) or {}


@login_required
@require_safe
@read_again
def report(request: HttpRequest, report_id: int) -> HttpResponse:
    """Show one report: its state, its first rows, its chart, and of a route the map."""
    found = find_report(request, report_id)
    sections, series = preview_of(found, rows=PREVIEW_ROWS)
    display = replace(report_display_settings(request.user, found), language=get_language() or "en")
    is_ready = found.state == ReportState.READY
    points = route_points(found) if is_ready else []
    context = {
        **_row(found),
        "job_progress": _job_progress(found),
        "title": report_name(found),
        "period": period_text(found),
        "is_live": found.state in UNFINISHED,
        "formats": [(name, EXPORTERS[name].label) for name in formats_of(found.kind)] if is_ready else [],
        "link": report_link(found, request.user) if is_ready else "",
        "sections": [shown_section(section, display) for section in sections],
        "preview_rows": PREVIEW_ROWS,
        "chart": chart_of(series, display, found) if series else None,
        "points": points,
        "may_change": may_change_report(request.user, found, CHANGE_REPORTS),
        "may_delete": may_change_report(request.user, found, DELETE_REPORTS),
        "is_repeatable": found.state in REPEATABLE,
    }
    return render(request, "reports_app/pages/report.html", context)


@login_required
@require_safe
def download(request: HttpRequest, report_id: int, format: str) -> HttpResponseBase:
    """Send the report in a format, with the user's display settings. A job writes a large one first."""
    found = find_report(request, report_id)
    try:
        written = find_or_start_export(found, format, user=request.user)
        if isinstance(written, ReportFile):
            return file_response(request, written)
    except DOWNLOAD_PROBLEMS as error:
        messages.error(request, str(error))
        return redirect("pages:report", found.pk)
    messages.info(request, _("The file is being written. Ask for it again in a moment."))
    return redirect("pages:report", found.pk)
