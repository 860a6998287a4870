"""Reads: which reports somebody may see, and a stored report as a table whose rows are fetched as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from reports_app.chunk_codec import decode_chunk
from reports_app.chunks import Chunk, first_rows
from reports_app.exceptions import InvalidReport
from reports_app.models import Report, ReportChunk, ReportSchedule
from reports_app.reader import Reader, reader_of
from reports_app.table import ReportTable, section_from_content, table_from_header
from tasks_app.models import Device, Fleet, FleetRole
from tasks_app.queries.access import Right, has_everywhere, has_right, to_view, visible_devices, visible_fleets

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


VIEW_REPORTS, VIEW_SCHEDULES = to_view("reports_app.report"), to_view("reports_app.reportschedule")
ASK_FOR_REPORTS = Right(FleetRole.OPERATOR, "reports_app.add_report")
# Where neither devices nor a fleet are named, a report is about all the devices that its requester may look at.
REPORT_ON = Right(FleetRole.VIEWER, "reports_app.add_report")
CHANGE_REPORTS = Right(FleetRole.MANAGER, "reports_app.change_report")
DELETE_REPORTS = Right(FleetRole.MANAGER, "reports_app.delete_report")
ADD_SCHEDULES = Right(FleetRole.OPERATOR, "reports_app.add_reportschedule")
CHANGE_SCHEDULES = Right(FleetRole.MANAGER, "reports_app.change_reportschedule")
DELETE_SCHEDULES = Right(FleetRole.MANAGER, "reports_app.delete_reportschedule")


def visible_reports(user: AbstractBaseUser | AnonymousUser | Any) -> QuerySet[Report]:
    """Reports of a fleet or device `user` sees now, and those of neither that they asked for, as far as they still see
    every device that is in them (devices that were deleted do not count). Staff see all as their permissions say.

    Content is not loaded. What a report holds was decided when it was made; one of before that was written down is hidden.
    """
    if not user.is_authenticated or not user.is_active:
        return Report.objects.none()
    reports = Report.objects.defer("content").select_related("device__fleet", "fleet", "requested_by")
    if has_everywhere(user, VIEW_REPORTS):
        return reports
    about_neither = Q(fleet__isnull=True, device__isnull=True)
    about_mine = (
        Q(about_neither, requested_by=user)
        | Q(fleet__in=visible_fleets(user, VIEW_REPORTS))
        | Q(device__in=visible_devices(user, VIEW_REPORTS))
    )
    unknown = Q(about_neither, held_device_ids__isnull=True, content__isnull=False)
    return reports.filter(about_mine).exclude(unknown).filter(~Exists(_foreign_devices(user)))


def _foreign_devices(user: Any) -> QuerySet[Device]:
    """The devices in the report of the outer query that `user` does not see."""
    is_held = Func(
        F("pk"),
        OuterRef("held_device_ids"),
        template="(%(expressions)s))",
        arg_joiner=" = ANY(",
        output_field=BooleanField(),
    )
    return Device.objects.filter(is_held).exclude(fleet__in=visible_fleets(user, VIEW_REPORTS))


def visible_report(user: Any, report_id: int) -> Report | None:
    """The report if it is among those that `user` sees."""
    return visible_reports(user).filter(pk=report_id).first()


def sees_report(user: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether the report that a call is about is one `user` sees: the rule for members of the tasks about reports."""
    report_id: int = arguments["report_id"]
    return visible_reports(user).filter(pk=report_id).exists()


def reportable_devices(fleet: Fleet | None, requested_by: Any) -> QuerySet[Device]:
    """The devices a report may be about: those of the fleet, which the requester may report on; without a fleet all that
    they may report on now, and for the system itself every one."""
    if fleet is not None:
        return Device.objects.filter(fleet=fleet)
    return Device.objects.all() if requested_by is None else visible_devices(requested_by, REPORT_ON)


def may_change_report(user: Any, report: Report, right: Right = CHANGE_REPORTS) -> bool:
    """Whether `user`, who sees it, may cancel, retry or (by its right) delete it: its requester, managers of its fleet,
    and staff that hold the permission."""
    if report.requested_by_id == user.pk:
        return True
    return has_right(user, report.device.fleet if report.device else report.fleet, right)


def visible_report_schedules(user: Any) -> QuerySet[ReportSchedule]:
    """The report schedules of the fleets `user` sees."""
    schedules = ReportSchedule.objects.filter(fleet__in=visible_fleets(user, VIEW_SCHEDULES))
    return schedules.select_related("fleet", "owner").prefetch_related("devices", "recipients")


def may_change_schedule(user: Any, schedule: ReportSchedule, right: Right = CHANGE_SCHEDULES) -> bool:
    """Whether `user` may change, run or (by its right) delete it: its owner as long as they may make one in the fleet, the
    fleet's managers, and staff that hold the permission."""
    is_own = schedule.owner_id == user.pk and has_right(user, schedule.fleet, ADD_SCHEDULES)
    return is_own or has_right(user, schedule.fleet, right)


def find_report(report_id: int) -> Report:
    """The report without its content. Raises InvalidReport (unknown_report)."""
    report = Report.objects.defer("content").select_related("device__fleet", "fleet").filter(pk=report_id).first()
    if report is None:
        raise _unknown_report(report_id)
    return report


def report_zone(report: Report) -> ZoneInfo:
    """The zone a report's days and times are shown in: its fleet's, else the installation's."""
    fleet = report.device.fleet if report.device else report.fleet
    return ZoneInfo(settings.TIME_ZONE) if fleet is None else fleet.zone


def reader_for(user: Any, report: Report) -> Reader:
    """How `user` (None: nobody in particular) reads this report."""
    return reader_of(user, str(report_zone(report)))


def stored_table(report_id: int) -> ReportTable:
    """The table of a ready report. Its sections' rows are read chunk by chunk while they are iterated.

    Raises InvalidReport (unknown_report, report_without_content), also while it is read if the report is deleted then.
    """
    report = Report.objects.filter(pk=report_id).values("content").first()
    if report is None:
        raise _unknown_report(report_id)
    if report["content"] is None:
        raise InvalidReport("report_without_content", _("Report %(id)s has no content.") % {"id": report_id})
    sections = [
        section_from_content(section, _StoredChunks(report_id, number, section))
        for number, section in enumerate(report["content"]["sections"])
    ]
    return table_from_header(report["content"], sections)


def preview_sections(content: dict[str, Any], report_id: int, limit: int) -> list[dict[str, Any]]:
    """The first `limit` rows of each section of a report's content: [{"section", "rows", "row_count"}]. Reads at most
    one chunk of each."""
    found = []
    for number, part in enumerate(content["sections"]):
        section = section_from_content(part, _StoredChunks(report_id, number, part))
        rows = first_rows(section.columns, section.chunks(), limit)
        found.append({"section": section, "rows": rows, "row_count": part["row_count"]})
    return found


def stored_row_count(report_id: int) -> int:
    """How many rows a stored report has, in all its sections."""
    rows = ReportChunk.objects.filter(report_id=report_id).aggregate(count=Sum("row_count"))
    return rows["count"] or 0


@dataclass(frozen=True, slots=True)
class _StoredChunks:
    report_id: int
    number: int
    section: dict[str, Any]

    def __iter__(self) -> Iterator[Chunk]:
        columns = section_from_content(self.section, ()).columns
        for number in range(self.section["chunk_count"]):
            chunks = ReportChunk.objects.filter(report_id=self.report_id, section=self.number, number=number)
            found = chunks.values_list("row_count", "data").first()
            if found is None:
                raise _unknown_report(self.report_id)
            yield decode_chunk(columns, *found)


def _unknown_report(report_id: int) -> InvalidReport:
    return InvalidReport("unknown_report", _("There is no report %(id)s.") % {"id": report_id}, field="report_id")
