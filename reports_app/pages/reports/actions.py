"""Steps that change a report: cancel, retry, delete. Each shows a confirmation first."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from reports_app.exceptions import ReportStateConflict
from reports_app.models import Report
from reports_app.pages.reports.views import find_report
from reports_app.queries import CHANGE_REPORTS, DELETE_REPORTS, may_change_report
from reports_app.services.generation import cancel_report, delete_report, retry_report
from reports_app.web import report_name
from tasks_app.engine import EngineError
from tasks_app.queries.access import Right

METHODS = ["GET", "HEAD", "POST"]


@login_required
@require_http_methods(METHODS)
def cancel(request: HttpRequest, report_id: int) -> HttpResponse:
    found = _changeable(request, report_id, CHANGE_REPORTS)

    def act(one: Report) -> None:
        cancel_report(one, user=request.user, reason="")

    return _confirmed(request, found, act, _("Cancel this report?"), _("Cancel the report"))


@login_required
@require_http_methods(METHODS)
def retry(request: HttpRequest, report_id: int) -> HttpResponse:
    found = _changeable(request, report_id, CHANGE_REPORTS)
    return _confirmed(request, found, retry_report, _("Make this report again?"), _("Make it again"))


@login_required
@require_http_methods(METHODS)
def delete(request: HttpRequest, report_id: int) -> HttpResponse:
    found = _changeable(request, report_id, DELETE_REPORTS)
    if request.method == "POST":
        name = report_name(found)
        try:
            delete_report(found, user=request.user)
        except (ReportStateConflict, EngineError) as error:
            messages.warning(request, str(error))
            return redirect("pages:report", found.pk)
        messages.success(request, _("“%(name)s” was deleted.") % {"name": name})
        return redirect("pages:reports")
    return _question(request, found, _("Delete this report?"), _("Delete the report"))


def _changeable(request: HttpRequest, report_id: int, right: Right) -> Report:
    found = find_report(request, report_id)
    if not may_change_report(request.user, found, right):
        raise PermissionDenied
    return found


def _confirmed(
    request: HttpRequest, found: Report, act: Callable[[Report], object], question: str, button: str
) -> HttpResponse:
    if request.method != "POST":
        return _question(request, found, question, button)
    try:
        act(found)
    except (ReportStateConflict, EngineError) as error:
        messages.warning(request, str(error))
    return redirect("pages:report", found.pk)


def _question(request: HttpRequest, found: Report, question: str, button: str) -> HttpResponse:
    back_url = reverse("pages:report", args=[found.pk])
    context = {"title": question, "about": report_name(found), "button": button, "back_url": back_url}
    return render(request, "reports_app/pages/confirm.html", context)
