"""Downloads of reports: small files are written at once, large ones by a job."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings

from reports_app.models import Report, ReportFile
from reports_app.queries import report_display_settings, stored_row_count
from reports_app.services.files.export import check_ready, export_report, stored_file
from reports_app.services.files.formats import check_format
from tasks_app.engine import get_task


def find_or_start_export(report: Report, format: str, *, user: Any) -> ReportFile | UUID:
    """Return the report's file in `format` for `user`, or the id of the job that writes it if the report is large.

    Raises InvalidReport (unknown_format, format_without_places, report_failed, report_cancelled), ReportExpired,
    ReportNotReady, FileNotWritten, FilesOutOfReach, and the engine's errors.
    """
    check_format(report.kind, format)
    check_ready(report)
    display = report_display_settings(user, report)
    found = stored_file(report, format, display)
    if found is not None:
        return found
    if stored_row_count(report.pk) <= settings.REPORT_INLINE_ROWS:
        return export_report(report.pk, format, display=display)
    return get_task("export_report_data").apply_async(
        (report.pk, format), requested_by=user, unique_key=f"export:{report.pk}:{format}:{display.reads_as}"
    )
