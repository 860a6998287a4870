"""Downloads and previews of reports."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from reports_app.api.files import file_response
from reports_app.api.reports import report_for
from reports_app.exceptions import FileNotWritten, FilesOutOfReach, InvalidReport, ReportExpired, ReportNotReady
from reports_app.exporters import EXPORTERS
from reports_app.models import Report, ReportFile
from reports_app.queries import VIEW_REPORTS, SectionPreview, Series, preview_of, read_again
from reports_app.services.files import check_ready, find_or_start_export
from reports_app.table import Column, json_writer, translated
from tasks_app.api.base import ApiView
from tasks_app.api.enqueueing import EnqueuedSerializer, accepted
from tasks_app.api.errors import ApiError, Conflict
from tasks_app.api.fields import StrictSerializer, TimestampField
from tasks_app.api.schema import describe


class DownloadQuery(StrictSerializer):
    """The requested format."""

    format = serializers.ChoiceField(choices=sorted(EXPORTERS), default="json")


class ReportColumnSerializer(serializers.Serializer[Any]):
    """One column of a report."""

    key = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.CharField(help_text="The kind of its cells, with their unit.")


class ContentSectionSerializer(serializers.Serializer[Any]):
    """A section: its rows are objects under the keys of its columns."""

    key = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    columns = ReportColumnSerializer(many=True)
    rows = serializers.ListField(child=serializers.DictField(child=serializers.JSONField(allow_null=True)))
    totals = serializers.DictField(child=serializers.JSONField(allow_null=True), allow_null=True)


class ReportContentSerializer(serializers.Serializer[Any]):
    """A whole report as JSON."""

    kind = serializers.CharField()
    title = serializers.CharField()
    subject = serializers.CharField(allow_blank=True)
    range_start = TimestampField()
    range_end = TimestampField()
    time_zone = serializers.CharField()
    sections = ContentSectionSerializer(many=True)


def _content_of(format: str) -> Any:
    return ReportContentSerializer if format == "json" else OpenApiTypes.BINARY


class ReportDownloadView(ApiView):
    """Download of a ready report."""

    rights = {"GET": VIEW_REPORTS}

    @describe(
        "Download a report",
        name="report_download",
        tag="reports",
        parameters=[DownloadQuery],
        answers={
            202: EnqueuedSerializer,
            **{(200, each.content_type.partition(";")[0]): _content_of(each.format) for each in EXPORTERS.values()},
        },
        errors=(404, 409, 410),
        description="A large file is written by a job: the answer is 202 with its id, and the file once the job succeeded.",
    )
    @read_again
    def get(self, request: Request, report_id: int) -> Any:
        wanted = self.parameters(DownloadQuery)["format"]
        report = report_for(request.user, report_id)
        refuse_unless_ready(report)
        try:
            found = find_or_start_export(report, wanted, user=request.user)
            if isinstance(found, ReportFile):
                return file_response(request, found)
        except FileNotWritten as error:
            raise ApiError(status.HTTP_507_INSUFFICIENT_STORAGE, "file_not_written", str(error)) from error
        except FilesOutOfReach as error:
            raise ApiError(status.HTTP_503_SERVICE_UNAVAILABLE, "files_out_of_reach", str(error)) from error
        return accepted(request, found, "export_report_data")


def refuse_unless_ready(report: Report) -> None:
    """Raise the error 409 or 410 of a report without content."""
    try:
        check_ready(report)
    except ReportExpired as error:
        raise ApiError(status.HTTP_410_GONE, "report_expired", str(error), state=report.state) from error
    except InvalidReport as error:
        raise Conflict(error.code, report.error or error.detail, state=report.state) from error
    except ReportNotReady as error:
        raise Conflict("report_not_ready", str(error), state=report.state) from error


class PreviewQuery(StrictSerializer):
    """The number of rows of a preview."""

    rows = serializers.IntegerField(
        min_value=1, max_value=200, default=20, help_text="The number of rows of each section."
    )


class PreviewSectionSerializer(serializers.Serializer[Any]):
    """The first rows of a section."""

    key = serializers.CharField()
    name = serializers.CharField()
    columns = ReportColumnSerializer(many=True)
    rows = serializers.ListField(child=serializers.ListField(child=serializers.JSONField(allow_null=True)))
    row_count = serializers.IntegerField()


class ChartSerializer(serializers.Serializer[Any]):
    """The figures of a chart: one column, with the names of its rows."""

    section = serializers.CharField()
    x = ReportColumnSerializer()
    y = ReportColumnSerializer()
    names = serializers.ListField(child=serializers.JSONField())
    values = serializers.ListField(child=serializers.FloatField())


class PreviewSerializer(serializers.Serializer[Any]):
    """A preview of a report."""

    sections = PreviewSectionSerializer(many=True)
    chart = ChartSerializer(allow_null=True)


class ReportPreviewView(ApiView):
    """The first rows of a ready report."""

    rights = {"GET": VIEW_REPORTS}

    @describe(
        "Look at a report",
        name="report_preview",
        tag="reports",
        parameters=[PreviewQuery],
        answers={200: PreviewSerializer},
        errors=(404, 409, 410),
        description="The first rows of each section, and the figures of a chart if the report has one.",
    )
    @read_again
    def get(self, request: Request, report_id: int) -> Response:
        wanted = self.parameters(PreviewQuery)["rows"]
        report = report_for(request.user, report_id)
        refuse_unless_ready(report)
        sections, series = preview_of(report, rows=wanted)
        body = {
            "sections": [_section_data(section) for section in sections],
            "chart": _chart_data(series) if series else None,
        }
        return Response(body, headers={"Cache-Control": "private, no-store"})


def _section_data(preview: SectionPreview) -> dict[str, Any]:
    section = preview.section
    writers = [json_writer(column.kind) for column in section.columns]
    rows = [
        [None if cell is None else write(cell) for write, cell in zip(writers, row, strict=True)]
        for row in preview.rows
    ]
    return {
        "key": section.key,
        "name": preview.name,
        "columns": [_column_data(column) for column in section.columns],
        "rows": rows,
        "row_count": preview.row_count,
    }


def _chart_data(series: Series) -> dict[str, Any]:
    write_name, write_value = json_writer(series.x.kind), json_writer(series.y.kind)
    return {
        "section": series.section,
        "x": _column_data(series.x),
        "y": _column_data(series.y),
        "names": [None if name is None else write_name(name) for name in series.names],
        "values": [write_value(value) for value in series.values],
    }


def _column_data(column: Column) -> dict[str, str]:
    return {"key": column.key, "title": translated(column.title), "kind": column.kind.value}
