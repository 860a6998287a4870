"""A report's file as an answer to a request, whichever page or endpoint was asked."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpRequest
from django.utils.cache import get_conditional_response

from reports_app.exporters.registry import EXPORTERS
from reports_app.models import ReportFile
from reports_app.services.export import file_name


def file_response(request: HttpRequest, written: ReportFile) -> Any:
    """The file as an attachment under a telling name, never kept by caches; a 304 for whoever has it already.

    Raises FileNotFoundError when the storage lost it.
    """
    exporter = EXPORTERS[written.format]
    response = FileResponse(
        written.file.open("rb"),
        as_attachment=True,
        filename=file_name(written.report, exporter.extension),
        content_type=exporter.content_type,
    )
    response["Cache-Control"] = "private, no-store"
    response["ETag"] = f'"report-file-{written.pk}"'
    return get_conditional_response(request, etag=response["ETag"], response=response)
