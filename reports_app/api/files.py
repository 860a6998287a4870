"""A report's file as an answer to a request, whichever page or endpoint was asked."""

from __future__ import annotations

from django.http import FileResponse, HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response

from reports_app.exporters.registry import EXPORTERS
from reports_app.models import ReportFile
from reports_app.services.export import file_name


def file_response(request: HttpRequest, written: ReportFile) -> FileResponse | HttpResponse:
    """The file as an attachment under a telling name, never kept by caches; a 304 for whoever has it already.

    Raises FileNotFoundError when the storage lost it.
    """
    etag = f'"report-file-{written.pk}"'
    if (unchanged := get_conditional_response(request, etag=etag)) is not None:
        return unchanged
    exporter = EXPORTERS[written.format]
    name = file_name(written.report, exporter.extension)
    content = written.file.open("rb")
    response = FileResponse(content, as_attachment=True, filename=name, content_type=exporter.content_type)
    response["Cache-Control"] = "private, no-store"
    response["ETag"] = etag
    return response
