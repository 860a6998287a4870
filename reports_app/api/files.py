"""Responses with report files, for pages and endpoints."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _

from reports_app.exporters import EXPORTERS
from reports_app.models import ReportFile
from reports_app.services.files import file_name, files_in_reach
from tasks_app.services.audit import record, subject_of_row


def file_response(request: HttpRequest, written: ReportFile, *, user: Any = None) -> FileResponse | HttpResponse:
    """Return the file as an attachment, not to be stored by caches, or a 304 if the client has it already.

    The audit names who got it: the reader of a link (`user`), else the user of the request.
    Raises Http404 when the storage lost it, FilesOutOfReach when the storage does not answer.
    """
    etag = f'"report-file-{written.pk}"'
    if (unchanged := get_conditional_response(request, etag=etag)) is not None:
        return unchanged
    exporter = EXPORTERS[written.format]
    name = file_name(written.report, exporter.extension)
    try:
        with files_in_reach():
            content = written.file.open("rb")
            response = FileResponse(content, as_attachment=True, filename=name, content_type=exporter.content_type)
    except FileNotFoundError as error:
        raise Http404(_("The file is no longer there.")) from error
    if request.method == "GET":
        record("download", subject_of_row(written.report), user=user, given={"format": written.format})
    response["Cache-Control"] = "private, no-store"
    response["ETag"] = etag
    return response
