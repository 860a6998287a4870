"""What is in a report: its files, and a look at its first rows."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers, status
from rest_framework.request import Request

from reports_app.api.files import file_response
from reports_app.api.reports import report_for
from reports_app.exceptions import FileNotWritten, InvalidReport, ReportExpired, ReportNotReady
from reports_app.exporters.registry import EXPORTERS
from reports_app.models import Report, ReportFile
from reports_app.services.download import find_or_start_export
from reports_app.services.export import check_ready
from tasks_app.api.base import ApiView
from tasks_app.api.enqueueing import EnqueuedSerializer, accepted
from tasks_app.api.errors import ApiError, Conflict
from tasks_app.api.fields import StrictSerializer
from tasks_app.api.schema import describe


class DownloadQuery(StrictSerializer):
    """Which format."""

    format = serializers.ChoiceField(choices=sorted(EXPORTERS), default="json")


class ReportDownloadView(ApiView):
    """The file of a ready report."""

    @describe(
        "Download a report",
        name="report_download",
        tag="reports",
        parameters=[DownloadQuery],
        answers={
            202: EnqueuedSerializer,
            **{(200, each.content_type.partition(";")[0]): OpenApiTypes.BINARY for each in EXPORTERS.values()},
        },
        errors=(404, 409, 410),
        description="A large report is written by a job: the answer is 202 with it, and the file once it succeeded.",
    )
    def get(self, request: Request, report_id: int) -> Any:
        wanted = self.parameters(DownloadQuery)["format"]
        report = report_for(request.user, report_id)
        refuse_unless_ready(report)
        try:
            found = find_or_start_export(report, wanted, user=request.user)
        except FileNotWritten as error:
            raise ApiError(status.HTTP_507_INSUFFICIENT_STORAGE, "file_not_written", str(error)) from error
        if isinstance(found, ReportFile):
            return file_response(request, found)
        return accepted(request, found, "export_report_data")


def refuse_unless_ready(report: Report) -> None:
    """Raise the 409 or 410 of a report that has no content."""
    try:
        check_ready(report)
    except ReportExpired as error:
        raise ApiError(status.HTTP_410_GONE, "report_expired", str(error), state=report.state) from error
    except InvalidReport as error:
        raise Conflict(error.code, report.error or error.detail, state=report.state) from error
    except ReportNotReady as error:
        raise Conflict("report_not_ready", str(error), state=report.state) from error
