"""Reports that were asked for, and their files."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, Http404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from reports_app.exceptions import ReportNotReady
from reports_app.exporters.registry import EXPORTERS
from reports_app.models import Report, ReportKind, ReportState
from reports_app.queries import visible_reports
from reports_app.services.export import export_report, file_name
from tasks_app.api.base import ApiView
from tasks_app.api.errors import Conflict
from tasks_app.api.fields import MomentField, StrictSerializer
from tasks_app.api.pagination import PageQuery, keyset_page, page_body
from tasks_app.api.schema import describe, page_of


class ReportSerializer(serializers.ModelSerializer[Report]):
    """A report; its content comes by download."""

    kind = serializers.CharField()
    state = serializers.CharField()
    range_start = MomentField()
    range_end = MomentField()
    created_at = MomentField()
    finished_at = MomentField(allow_null=True)
    device_ids = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    requested_by = serializers.IntegerField(source="requested_by_id", allow_null=True)
    task_id = serializers.UUIDField(source="job_id", allow_null=True)
    download_url = serializers.SerializerMethodField()

    class Meta:
        model = Report
        fields = [
            "id",
            "kind",
            "state",
            "device_id",
            "fleet_id",
            "device_ids",
            "range_start",
            "range_end",
            "error",
            "requested_by",
            "task_id",
            "created_at",
            "finished_at",
            "download_url",
        ]
        read_only_fields = fields

    def get_download_url(self, report: Report) -> str | None:
        """Once it is ready; add ?format=csv or ?format=xlsx."""
        if report.state != ReportState.READY:
            return None
        return reverse("api:report-download", kwargs={"report_id": report.pk}, request=self.context["request"])


class ReportListQuery(PageQuery):
    """Filters of the report list."""

    kind = serializers.ChoiceField(choices=ReportKind.choices, required=False)
    state = serializers.ChoiceField(choices=ReportState.choices, required=False)


class DownloadQuery(StrictSerializer):
    """Which format."""

    format = serializers.ChoiceField(choices=sorted(EXPORTERS), default="json")


class ReportListView(ApiView):
    """Reports the caller asked for, and those of fleets and devices the caller sees."""

    @describe(
        "List reports",
        name="reports_list",
        tag="reports",
        parameters=[ReportListQuery],
        answers={200: page_of(ReportSerializer, "ReportPage")},
    )
    def get(self, request: Request) -> Response:
        query = self.parameters(ReportListQuery)
        wanted = {name: query[name] for name in ("kind", "state") if name in query}
        reports = visible_reports(request.user).filter(**wanted)
        rows, cursor = keyset_page(
            reports, order=("created_at", "id"), limit=query["limit"], cursor=query.get("cursor")
        )
        results = ReportSerializer(rows, many=True, context={"request": request}).data
        return Response(page_body(request, cursor, results))


class ReportDetailView(ApiView):
    """One report."""

    @describe("One report", name="report_read", tag="reports", answers={200: ReportSerializer}, errors=(404,))
    def get(self, request: Request, report_id: int) -> Response:
        report = report_for(request.user, report_id)
        return Response(ReportSerializer(report, context={"request": request}).data)


class ReportDownloadView(ApiView):
    """The file of a ready report, written now where it is not there yet."""

    @describe(
        "Download a report",
        name="report_download",
        tag="reports",
        parameters=[DownloadQuery],
        answers={
            (200, "application/json"): OpenApiTypes.BINARY,
            (200, "text/csv"): OpenApiTypes.BINARY,
            (200, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"): OpenApiTypes.BINARY,
        },
        errors=(404, 409),
    )
    def get(self, request: Request, report_id: int) -> FileResponse:
        wanted = self.parameters(DownloadQuery)["format"]
        report = report_for(request.user, report_id)
        if report.state != ReportState.READY:
            raise _not_ready(report)
        try:
            written = export_report(report.pk, wanted)
        except ReportNotReady as error:
            raise _not_ready(report) from error
        return _file_response(report, written.file.open("rb"), wanted)


def report_for(user: Any, report_id: int) -> Report:
    """The report, if `user` may see it. Raises Http404."""
    report = visible_reports(user).filter(pk=report_id).first()
    if report is None:
        raise Http404
    return report


def _file_response(report: Report, opened: Any, wanted: str) -> FileResponse:
    exporter = EXPORTERS[wanted]
    name = file_name(report, exporter.extension)
    return FileResponse(opened, as_attachment=True, filename=name, content_type=exporter.content_type)


def _not_ready(report: Report) -> Conflict:
    if report.state == ReportState.FAILED:
        return Conflict("report_failed", report.error or _("The report failed."), state=report.state)
    return Conflict("report_not_ready", _("The report is not ready yet."), state=report.state)
