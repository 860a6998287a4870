"""Reads: which reports somebody may see, and a stored report as a table whose rows are fetched as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q, QuerySet, Sum
from django.utils.translation import gettext as _

from reports_app.chunk_codec import decode_chunk
from reports_app.chunks import Chunk, first_rows
from reports_app.exceptions import InvalidReport
from reports_app.models import Report, ReportChunk, ReportSchedule
from reports_app.reader import Reader, reader_of
from reports_app.table import ReportTable, section_from_content, table_from_header
from tasks_app.models import Device, FleetRole
from tasks_app.queries.access import may_manage, visible_devices, visible_fleets

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


def visible_reports(user: AbstractBaseUser | AnonymousUser | Any) -> QuerySet[Report]:
    """Reports of a fleet or device `user` sees, and those of neither that they asked for; staff see all.

    Content is not loaded. Who lost a fleet no longer sees its reports, those they asked for among them.
    """
    if not user.is_authenticated or not user.is_active:
        return Report.objects.none()
    reports = Report.objects.defer("content").select_related("device__fleet", "fleet", "requested_by")
    if getattr(user, "is_staff", False):
        return reports
    return reports.filter(
        Q(requested_by=user, fleet__isnull=True, device__isnull=True)
        | Q(fleet__in=visible_fleets(user))
        | Q(device__in=visible_devices(user))
    )


def visible_report(user: Any, report_id: int) -> Report | None:
    """The report if `user` may see it: for a report of chosen devices, every one of them that is still there."""
    report = visible_reports(user).filter(pk=report_id).first()
    if report is None or report.device_ids is None or user.is_staff:
        return report
    chosen = Device.objects.filter(pk__in=report.device_ids)
    return None if chosen.exclude(pk__in=visible_devices(user)).exists() else report


def may_change_report(user: Any, report: Report) -> bool:
    """Whether `user`, who sees it, may cancel, retry and delete it: its requester, managers of its fleet, and staff that
    hold the permission."""
    if report.requested_by_id == user.pk:
        return True
    fleet, permission = report.device.fleet if report.device else report.fleet, "reports_app.change_report"
    return may_manage(user, fleet, permission) if fleet else user.is_staff and user.has_perm(permission)


def visible_report_schedules(user: Any) -> QuerySet[ReportSchedule]:
    """The report schedules of the fleets `user` sees."""
    schedules = ReportSchedule.objects.filter(fleet__in=visible_fleets(user))
    return schedules.select_related("fleet", "owner").prefetch_related("devices", "recipients")


def may_change_schedule(user: Any, schedule: ReportSchedule) -> bool:
    """Whether `user` may change and run it: its owner as long as they operate the fleet, the fleet's managers, and staff
    that hold the permission."""
    if schedule.owner_id == user.pk:
        return visible_fleets(user, FleetRole.OPERATOR).filter(pk=schedule.fleet_id).exists()
    return may_manage(user, schedule.fleet, "reports_app.change_reportschedule")


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
