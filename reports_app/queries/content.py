"""The stored content of a report, as a table whose rows are fetched chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum
from django.utils.translation import gettext as _

from reports_app.exceptions import InvalidReport
from reports_app.models import Report, ReportChunk
from reports_app.queries.reports import unknown_report
from reports_app.table import Chunk, ReportTable, decode_chunk, first_rows, section_from_content, table_from_header


def stored_table(report_id: int) -> ReportTable:
    """Return the table of a ready report. The rows of its sections are read chunk by chunk while they are iterated.

    Raises InvalidReport (unknown_report, report_without_content), during the iteration too if the report is deleted.
    """
    report = Report.objects.filter(pk=report_id).values("content").first()
    if report is None:
        raise unknown_report(report_id)
    if report["content"] is None:
        raise InvalidReport("report_without_content", _("Report %(id)s has no content.") % {"id": report_id})
    sections = [
        section_from_content(section, _StoredChunks(report_id, number, section))
        for number, section in enumerate(report["content"]["sections"])
    ]
    return table_from_header(report["content"], sections)


def preview_sections(content: dict[str, Any], report_id: int, limit: int) -> list[dict[str, Any]]:
    """Return the first `limit` rows of each section: [{"section", "rows", "row_count"}]. Reads at most one chunk of
    each."""
    found = []
    for number, part in enumerate(content["sections"]):
        section = section_from_content(part, _StoredChunks(report_id, number, part))
        rows = first_rows(section.columns, section.chunks(), limit)
        found.append({"section": section, "rows": rows, "row_count": part["row_count"]})
    return found


def stored_row_count(report_id: int) -> int:
    """Return the number of rows in all sections of a stored report."""
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
                raise unknown_report(self.report_id)
            yield decode_chunk(columns, *found)
