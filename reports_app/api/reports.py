"""Requested reports: list, read, cancel, retry, delete."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from reports_app.exceptions import ReportStateConflict
from reports_app.models import UNFINISHED, Report, ReportKind, ReportState
from reports_app.queries import (
    CHANGE_REPORTS,
    DELETE_REPORTS,
    VIEW_REPORTS,
    may_change_report,
    visible_report,
    visible_reports,
)
from reports_app.services.files import formats_of
from reports_app.services.generation import cancel_report, delete_report, retry_report
from tasks_app.api.base import ApiView
from tasks_app.api.errors import Conflict
from tasks_app.api.fields import ReasonBody, TimestampField
from tasks_app.api.lists import Filters, RowList, by_choice, by_id
from tasks_app.api.schema import describe
from tasks_app.api.sparse import fields_query
from tasks_app.models import Scope
from tasks_app.queries.access import SHELL, Right, owned
from tasks_app.queries.jobs import find_job


class ProgressSerializer(serializers.Serializer[Any]):
    """The progress of a report."""

    current = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    message = serializers.CharField(allow_blank=True)


class ReportSerializer(serializers.ModelSerializer[Report]):
    """A report without its content, which is downloaded."""

    kind = serializers.CharField()
    state = serializers.CharField()
    range_start = TimestampField()
    range_end = TimestampField()
    created_at = TimestampField()
    started_at = TimestampField(allow_null=True)
    finished_at = TimestampField(allow_null=True)
    expires_at = TimestampField(allow_null=True)
    device_ids = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    requested_by = serializers.IntegerField(source="requested_by_id", allow_null=True)
    task_id = serializers.UUIDField(source="job_id", allow_null=True)
    status_url = serializers.SerializerMethodField()
    report_id = serializers.IntegerField(source="id")
    report_url = serializers.SerializerMethodField()
    download_url = serializers.SerializerMethodField()
    formats = serializers.SerializerMethodField()

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
            "status_url",
            "created_at",
            "started_at",
            "finished_at",
            "expires_at",
            "report_id",
            "report_url",
            "download_url",
            "formats",
        ]
        read_only_fields = fields

    def get_status_url(self, report: Report) -> str | None:
        """The URL of the job that generates or generated it."""
        return self._url("task-detail", task_id=report.job_id) if report.job_id else None

    def get_report_url(self, report: Report) -> str:
        """The URL of its state."""
        return self._url("report-detail", report_id=report.pk)

    def get_download_url(self, report: Report) -> str | None:
        """The URL of the download once it is ready; add ?format=csv or another of `formats`."""
        return self._url("report-download", report_id=report.pk) if report.state == ReportState.READY else None

    def get_formats(self, report: Report) -> list[str]:
        """The formats of the download of a ready report."""
        return formats_of(report.kind) if report.state == ReportState.READY else []

    def _url(self, name: str, **kwargs: Any) -> str:
        return reverse(f"api:{name}", kwargs=kwargs, request=self.context["request"])


class ReportDetailSerializer(ReportSerializer):
    """A report with its progress."""

    progress = serializers.SerializerMethodField()

    class Meta(ReportSerializer.Meta):
        fields = [*ReportSerializer.Meta.fields, "progress"]
        read_only_fields = fields

    @extend_schema_field(ProgressSerializer(allow_null=True))
    def get_progress(self, report: Report) -> dict[str, Any] | None:
        """The current step and the number of rows written, while its job runs."""
        if report.state not in UNFINISHED or report.job_id is None:
            return None
        job = find_job(report.job_id, user=SHELL)
        return job.progress if job is not None else None


class ReportFilters(Filters):
    """Filters of the report list."""

    kind = by_choice(ReportKind.choices, "kind")
    state = by_choice(ReportState.choices, "state")
    device = by_id("device_id")
    fleet = by_id("fleet_id")
    requested_by = by_id("requested_by_id")


REPORTS = RowList(ReportSerializer, filters=ReportFilters, orderings={"created_at": ("created_at", "id")})


class ReportListView(ApiView):
    """Reports that the caller may see."""

    rights = {"GET": VIEW_REPORTS}

    @describe(
        "List reports",
        name="reports_list",
        tag="reports",
        parameters=REPORTS.parameters,
        answers={200: REPORTS.page_serializer("ReportPage")},
    )
    def get(self, request: Request) -> Response:
        return REPORTS.answer(request, visible_reports(request.user))


class ReportDetailView(ApiView):
    """One report."""

    rights = {"GET": VIEW_REPORTS, "DELETE": owned(DELETE_REPORTS)}

    @describe(
        "One report",
        name="report_read",
        tag="reports",
        parameters=[fields_query(ReportDetailSerializer)],
        answers={200: ReportDetailSerializer},
        errors=(404,),
    )
    def get(self, request: Request, report_id: int) -> Response:
        return Response(self.shown(ReportDetailSerializer, report_for(request.user, report_id)))

    @describe(
        "Delete a report",
        name="report_delete",
        tag="reports",
        answers={204: None},
        errors=(404,),
        description="Deletes content and files too, and cancels an unfinished report. For its requester and managers.",
    )
    def delete(self, request: Request, report_id: int) -> Response:
        delete_report(changeable_report(request.user, report_id, self.asked), user=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ReportCancelView(ApiView):
    """Cancels the generation of a report."""

    scopes_to_change = (Scope.OPERATE,)

    rights = {"POST": owned(CHANGE_REPORTS)}

    @describe(
        "Cancel a report",
        name="report_cancel",
        tag="reports",
        request=ReasonBody,
        answers={200: ReportDetailSerializer},
        errors=(404, 409),
        description="Cancels a pending report at once, a running one at its next checkpoint. For its requester and managers.",
    )
    def post(self, request: Request, report_id: int) -> Response:
        reason = self.body(ReasonBody)["reason"] if request.body else ""
        report = changeable_report(request.user, report_id, self.asked)
        try:
            cancel_report(report, user=request.user, reason=reason)
        except ReportStateConflict as error:
            raise Conflict("report_not_running", str(error), state=error.state) from error
        return Response(report_data(request, report))


class ReportRetryView(ApiView):
    """Generates a report again that ended without a result."""

    scopes_to_change = (Scope.OPERATE,)

    budget = "reports"
    rights = {"POST": owned(CHANGE_REPORTS)}

    @describe(
        "Retry a report",
        name="report_retry",
        tag="reports",
        answers={202: ReportDetailSerializer},
        errors=(404, 409),
        description="For a failed, cancelled or expired report, with the same parameters. For its requester and managers.",
    )
    def post(self, request: Request, report_id: int) -> Response:
        report = changeable_report(request.user, report_id, self.asked)
        try:
            retry_report(report)
        except ReportStateConflict as error:
            raise Conflict("report_not_repeatable", str(error), state=error.state) from error
        return Response(report_data(request, report), status=status.HTTP_202_ACCEPTED)


def report_data(request: Request, report: Report) -> Any:
    """Return a report as JSON."""
    return ReportDetailSerializer(report, context={"request": request}).data


def report_for(user: Any, report_id: int) -> Report:
    """Return the report if `user` may see it. Raises Http404."""
    report = visible_report(user, report_id)
    if report is None:
        raise Http404
    return report


def changeable_report(user: Any, report_id: int, right: Right) -> Report:
    """Return the report if it is the user's own or the user has this right. Raises Http404, PermissionDenied."""
    report = report_for(user, report_id)
    if not may_change_report(user, report, right):
        raise PermissionDenied
    return report
