"""Requests for reports."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from reports_app.api.downloads import refuse_unless_ready
from reports_app.api.reports import ReportSerializer, report_for
from reports_app.exporters import EXPORTERS
from reports_app.models import Report, ReportKind, ReportState
from reports_app.periods import last_ended_day, parse_time
from reports_app.queries import ASK_FOR_REPORTS, VIEW_REPORTS, zone_of_request
from reports_app.services.files import check_format
from reports_app.services.requests import DEVICE_KINDS, MAX_DEVICES, request_report, task_name_of
from tasks_app.api.base import ApiView
from tasks_app.api.enqueueing import EnqueuedSerializer, accepted, start
from tasks_app.api.errors import Conflict
from tasks_app.api.fields import (
    EARLIEST_YEAR,
    LATEST_YEAR,
    IdField,
    StrictBooleanField,
    StrictCharField,
    StrictSerializer,
)
from tasks_app.api.permissions import device_for, devices_for, fleet_for, refusal
from tasks_app.api.schema import describe
from tasks_app.geo.days import day_range
from tasks_app.queries.access import has_everywhere, visible_fleets

TIME_HELP = (
    "ISO 8601 with a zone, or a date, which means midnight in the fleet's time zone (of several fleets the one they "
    "share, else `TIME_ZONE`)."
)
REUSE_HELP = (
    "An equal request is answered by the existing report while no newer data of its range has arrived; "
    "equal requests at the same time share one report."
)


class RangeBody(StrictSerializer):
    """The range `[start, end)` and further options."""

    start = StrictCharField(max_length=40, help_text=TIME_HELP)
    end = StrictCharField(max_length=40, help_text=TIME_HELP)
    fresh = StrictBooleanField(default=False, help_text="Generate it even if an equal report is fresh.")
    notify = StrictBooleanField(
        default=False, help_text="Notify the requester when it is ready, in the application and by e-mail."
    )


class DeviceReportBody(RangeBody):
    """A report of one device."""

    device_id = IdField()
    kind = serializers.ChoiceField(choices=sorted(DEVICE_KINDS), default=ReportKind.SUMMARY)


class FleetReportBody(RangeBody):
    """A report of a fleet, of the given devices, or of every device that the caller may see."""

    fleet_id = IdField(required=False)
    device_ids = serializers.ListField(child=IdField(), min_length=1, max_length=MAX_DEVICES, required=False)


class DailyReportBody(StrictSerializer):
    """A fleet's day; without a fleet (staff only) the day of every fleet."""

    fleet_id = IdField(required=False)
    day = serializers.DateField(required=False, help_text="YYYY-MM-DD in the fleet's time zone; yesterday by default.")

    fresh = StrictBooleanField(default=False, help_text="Generate it even if it exists.")
    notify = StrictBooleanField(default=False, help_text="Notify the requester when it is ready.")

    def validate_day(self, day: date) -> date:
        if not EARLIEST_YEAR <= day.year <= LATEST_YEAR:
            raise ValidationError(_("This day is not in the years of reports."))
        return day


class ExportBody(StrictSerializer):
    """Write a ready report to a file."""

    report_id = IdField()
    format = serializers.ChoiceField(choices=sorted(EXPORTERS))


class ReportEnqueuedSerializer(EnqueuedSerializer):
    """The job and the report that it generates."""

    report_id = serializers.IntegerField()
    report_url = serializers.URLField()


class DailyEnqueuedSerializer(EnqueuedSerializer):
    """The job; of one fleet also the report that it generates."""

    report_id = serializers.IntegerField(required=False)
    report_url = serializers.URLField(required=False)


class DeviceReportView(ApiView):
    """Requests a report of one device."""

    budget = "reports"
    rights = {"POST": ASK_FOR_REPORTS}

    @describe(
        "Request a report of a device",
        name="report_device",
        tag="reports",
        request=DeviceReportBody,
        answers={200: ReportSerializer, 202: ReportEnqueuedSerializer},
        errors=(404,),
        description=REUSE_HELP,
    )
    def post(self, request: Request) -> Response:
        body = self.body(DeviceReportBody)
        device = device_for(request.user, body["device_id"], self.asked)
        return _answer(request, body, _range(body, device.fleet.zone), kind=body["kind"], device=device)


class FleetReportView(ApiView):
    """Requests a report of many devices."""

    budget = "reports"
    rights = {"POST": ASK_FOR_REPORTS}

    @describe(
        "Request a report of a fleet",
        name="report_fleet",
        tag="reports",
        request=FleetReportBody,
        answers={200: ReportSerializer, 202: ReportEnqueuedSerializer},
        errors=(404,),
        description=REUSE_HELP,
    )
    def post(self, request: Request) -> Response:
        body = self.body(FleetReportBody)
        fleet = fleet_for(request.user, body["fleet_id"], self.asked) if "fleet_id" in body else None
        device_ids: list[int] | None = body.get("device_ids")
        if device_ids is not None:
            _check_devices(request.user, device_ids, fleet)
        elif fleet is None and not visible_fleets(request.user, self.asked).exists():
            raise refusal(self.asked)
        zone = zone_of_request(fleet=fleet, device_ids=device_ids, requested_by=request.user)
        span = _range(body, zone)
        return _answer(request, body, span, kind=ReportKind.FLEET, fleet=fleet, device_ids=device_ids)


class DailyReportView(ApiView):
    """Requests the daily report of a fleet."""

    budget = "reports"
    rights = {"POST": ASK_FOR_REPORTS}

    @describe(
        "Request the daily report of a fleet, or of all (staff)",
        name="report_daily",
        tag="reports",
        request=DailyReportBody,
        answers={200: ReportSerializer, 202: DailyEnqueuedSerializer},
        errors=(404, 409),
        description=REUSE_HELP,
    )
    def post(self, request: Request) -> Response:
        body = self.body(DailyReportBody)
        day = body.get("day")
        if "fleet_id" not in body:
            if not has_everywhere(request.user, self.asked):
                raise ValidationError({"fleet_id": [_("Name the fleet.")]})
            if of_one := [name for name in ("fresh", "notify") if body[name]]:
                raise ValidationError({name: [_("Only for one fleet.")] for name in of_one})
            return start(request, "generate_daily_reports", day.isoformat() if day else None)
        fleet = fleet_for(request.user, body["fleet_id"], self.asked)
        span = day_range(day or last_ended_day(timezone.now(), fleet.zone), fleet.zone)
        if span[1] > timezone.now():
            raise ValidationError({"day": [_("The day is not over in %(zone)s.") % {"zone": fleet.time_zone}]})
        return _answer(request, body, span, kind=ReportKind.DAILY, fleet=fleet)


class ExportView(ApiView):
    """Requests a file of a report."""

    budget = "reports"
    rights = {"POST": VIEW_REPORTS}

    @describe(
        "Write a report to a file",
        name="report_export",
        tag="reports",
        request=ExportBody,
        answers={202: EnqueuedSerializer},
        errors=(404, 409, 410),
    )
    def post(self, request: Request) -> Response:
        body = self.body(ExportBody)
        report = report_for(request.user, body["report_id"])
        refuse_unless_ready(report)
        check_format(report.kind, body["format"])
        return start(request, "export_report_data", report.pk, body["format"])


def _answer(request: Request, body: dict[str, Any], span: tuple[datetime, datetime], **subject: Any) -> Response:
    """Request the report over `span` for the caller; return the response of `report_answer`."""
    report = request_report(
        **subject,
        range_start=span[0],
        range_end=span[1],
        requested_by=request.user,
        fresh=body["fresh"],
        wants_notice=body["notify"],
    )
    return report_answer(request, report)


def report_answer(request: Request, report: Report) -> Response:
    """Return a response with the existing report (200) or the job that generates it (202). Raises Conflict."""
    if report.state == ReportState.READY:
        return Response(ReportSerializer(report, context={"request": request}).data)
    if report.job_id is None:
        raise Conflict("report_not_ready", _("The report is being written already."), state=report.state)
    url = reverse("api:report-detail", kwargs={"report_id": report.pk}, request=request)
    return accepted(request, report.job_id, task_name_of(report), report_id=report.pk, report_url=url)


def _range(body: dict[str, Any], zone: Any) -> tuple[datetime, datetime]:
    return parse_time(body["start"], zone, field="start"), parse_time(body["end"], zone, field="end")


def _check_devices(user: Any, device_ids: list[int], fleet: Any) -> None:
    """Raise Http404 unless the user operates all of them, and they belong to `fleet` if one is given."""
    devices = devices_for(user, device_ids, ASK_FOR_REPORTS)
    if fleet is not None and any(device.fleet_id != fleet.pk for device in devices):
        raise Http404
