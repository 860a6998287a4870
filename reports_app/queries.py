"""Reads: which reports somebody may see, and a stored report as a table whose rows are fetched as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Func, JSONField, Q, QuerySet
from django.utils.translation import gettext as _

from reports_app.exceptions import InvalidReport
from reports_app.models import Report
from reports_app.table import ReportTable, Row, section_from_content, table_from_header
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
        raise InvalidReport("unknown_report", _("There is no report %(id)s.") % {"id": report_id}, field="report_id")
    return report


def report_zone(report: Report) -> ZoneInfo:
    """The zone a report's days and times are shown in: its fleet's, else the installation's."""
    fleet = report.device.fleet if report.device else report.fleet
    return ZoneInfo(settings.TIME_ZONE) if fleet is None else fleet.zone


def stored_table(report_id: int) -> ReportTable:
    """The table of a ready report. Its sections' rows are read from the database in chunks while they are iterated.

    Raises InvalidReport (unknown_report, report_without_content).
    """
    report = Report.objects.filter(pk=report_id).values(header=_without_rows(F("content"))).first()
    if report is None:
        raise InvalidReport("unknown_report", _("There is no report %(id)s.") % {"id": report_id}, field="report_id")
    if report["header"] is None:
        raise InvalidReport("report_without_content", _("Report %(id)s has no content.") % {"id": report_id})
    sections = [
        section_from_content(section, _StoredRows(report_id, number))
        for number, section in enumerate(report["header"]["sections"])
    ]
    return table_from_header(report["header"], sections)


@dataclass(frozen=True, slots=True)
class _StoredRows:
    report_id: int
    section: int

    def __iter__(self) -> Iterator[Row]:
        with transaction.atomic(), connection.chunked_cursor() as cursor:
            cursor.execute(
                "SELECT cells.value::text FROM reports_app_report AS report,"
                " jsonb_array_elements(report.content #> ARRAY['sections', %s, 'rows']) AS cells WHERE report.id = %s",
                [str(self.section), self.report_id],
            )
            for (text,) in cursor:
                yield msgspec.json.decode(text)


def _without_rows(content: Any) -> Func:
    """`content` with the rows of every section taken away, so that a report of any size has a small header."""
    return Func(
        content,
        template=(
            "(SELECT jsonb_set(source.content, '{sections}',"
            " coalesce((SELECT jsonb_agg(part.value - 'rows' ORDER BY part.ordinality)"
            " FROM jsonb_array_elements(source.content -> 'sections') WITH ORDINALITY AS part), '[]'::jsonb))"
            " FROM (SELECT %(expressions)s) AS source(content))"
        ),
        output_field=JSONField(),
    )
