"""Storage of a report's rows. Each chunk is written as the builder makes it, so that memory does not grow."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override

from reports_app.models import ReportChunk
from reports_app.table import ReportTable, Section, encode_chunk, header_content, section_content, translated
from tasks_app.engine import current_job


def store_rows(report_id: int, table: ReportTable) -> dict[str, Any]:
    """Read every row of `table`, store it as the report's chunks in place of earlier ones, and return the JSON-ready
    rest of the table for `Report.content`. Call it in a transaction. Stops between two chunks when the job is cancelled.
    """
    ReportChunk.objects.filter(report_id=report_id).delete()
    sections = [_store_section(report_id, number, section) for number, section in enumerate(table.sections)]
    with override(None):
        return {**header_content(table), "sections": sections}


def _store_section(report_id: int, place: int, section: Section) -> dict[str, Any]:
    chunk_count = row_count = 0
    for chunk in section.chunks():
        current_job().raise_if_cancelled()
        ReportChunk.objects.create(
            report_id=report_id,
            section=place,
            number=chunk_count,
            row_count=chunk.row_count,
            data=encode_chunk(section.columns, chunk),
        )
        chunk_count, row_count = chunk_count + 1, row_count + chunk.row_count
        current_job().progress(row_count, None, _("rows written: %(section)s") % {"section": translated(section.name)})
    with override(None):
        return {**section_content(section), "row_count": row_count, "chunk_count": chunk_count}
