"""Reads: which reports somebody may see, and a stored report as a table whose rows are fetched as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from reports_app.chunk_codec import decode_chunk
from reports_app.chunks import Chunk, first_rows
from reports_app.exceptions import InvalidReport
from reports_app.models import Report, ReportChunk
from reports_app.table import ReportTable, section_from_content, table_from_header
from tasks_app.queries.access import visible_devices, visible_fleets

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


def visible_reports(user: AbstractBaseUser | AnonymousUser | Any) -> QuerySet[Report]:
    """Reports `user` asked for, and those of a fleet or device they see; staff see all. Content is not loaded."""
    if not user.is_authenticated or not user.is_active:
        return Report.objects.none()
    reports = Report.objects.defer("content").select_related("device__fleet", "fleet", "requested_by")
    if getattr(user, "is_staff", False):
        return reports
    return reports.filter(
        Q(requested_by=user) | Q(fleet__in=visible_fleets(user)) | Q(device__in=visible_devices(user))
    )


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
