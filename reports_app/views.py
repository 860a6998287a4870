"""Pages of the links in e-mails, which show a report without a log-in."""

from __future__ import annotations

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from reports_app.api.files import file_response
from reports_app.exceptions import FileNotWritten, FilesOutOfReach, InvalidReport, ReportExpired, ReportNotReady
from reports_app.exporters import EXPORTERS
from reports_app.models import ReportFile
from reports_app.services.files import (
    SharedReport,
    check_ready,
    find_or_start_export,
    formats_of,
    read_link,
    report_link,
)
from reports_app.services.notify import about_report
from tasks_app.engine import EngineError
from tasks_app.utils.clock import exact_time_in
from tasks_app.web.second_factor import open_without_second_factor


@open_without_second_factor
@require_safe
def shared_report(request: HttpRequest, token: str) -> FileResponse | HttpResponse:
    """Return the file that the link names, or a page with links to every format or with the reason why there is none."""
    shared = read_link(token)
    if shared is None or (shared.format and shared.format not in EXPORTERS):
        raise Http404(_("This link is no longer valid."))
    try:
        return _answer(request, shared)
    except ReportNotReady as error:
        return _page(request, shared, str(error), status=409)
    except ReportExpired as error:
        return _page(request, shared, str(error), status=410)
    except InvalidReport as error:
        return _page(request, shared, str(error), status=409)
    except FileNotWritten as error:
        return _page(request, shared, str(error), status=507)
    except FilesOutOfReach as error:
        return _page(request, shared, str(error), status=503)
    except EngineError:
        return _page(request, shared, _("The file cannot be written at present; try again later."), status=503)


def _answer(request: HttpRequest, shared: SharedReport) -> FileResponse | HttpResponse:
    if not shared.format:
        check_ready(shared.report)
        return _page(request, shared)
    found = find_or_start_export(shared.report, shared.format, user=shared.user)
    if isinstance(found, ReportFile):
        return file_response(request, found, user=shared.user)
    return _page(request, shared, _("The file is being written; load this page again in a moment."), status=202)


def _page(request: HttpRequest, shared: SharedReport, problem: str = "", *, status: int = 200) -> HttpResponse:
    names = [] if problem else formats_of(shared.report.kind)
    formats = [(EXPORTERS[name].label, report_link(shared.report, shared.user, name)) for name in names]
    until = shared.report.expires_at
    context = {
        **about_report(shared.report),
        "formats": formats,
        "problem": problem,
        "until": until and exact_time_in(until, timezone.get_current_timezone()),
    }
    response = render(request, "reports_app/shared_report.html", context, status=status)
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response
