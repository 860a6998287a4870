"""Writing a ready report to a file in Django's storage: whole or not at all."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage, default_storage
from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from reports_app.exceptions import InvalidReport, ReportExpired, ReportNotReady
from reports_app.exporters.base import Exporter
from reports_app.exporters.registry import get_exporter
from reports_app.models import Report, ReportFile, ReportState
from reports_app.queries import find_report, report_zone, stored_row_count, stored_table
from reports_app.services.watched import watched

PARTIAL_FOLDER = "reports-partial"


def export_report(report_id: int, format: str) -> ReportFile:
    """The report's file in `format` (json, csv, xlsx), written now unless it is there already.

    Stops between two chunks of rows when its job is cancelled. Raises InvalidReport (unknown_format, unknown_report,
    report_failed, report_cancelled), ReportExpired and ReportNotReady.
    """
    exporter, report = get_exporter(format), find_report(report_id)
    check_ready(report)
    if (existing := stored_file(report, exporter.format)) is not None:
        return existing
    ReportFile.objects.filter(report=report, format=exporter.format).delete()
    with partial_folder(default_storage) as folder:
        path = Path(folder) / f"report.{exporter.extension}"
        table = watched(stored_table(report_id), row_count=stored_row_count(report_id), format=exporter.format)
        exporter.write(table, path)
        return _publish(report, exporter, path)


def stored_file(report: Report, format: str) -> ReportFile | None:
    """The file that is there already; a row whose file was lost does not count."""
    found = ReportFile.objects.filter(report=report, format=format).first()
    return found if found is not None and found.file.storage.exists(str(found.file.name)) else None


def run_export(*, report_id: int, format: str) -> dict[str, Any]:
    """The job behind export_report_data: {"report_id", "format", "file", "size_bytes"}. Errors as in `export_report`."""
    written = export_report(report_id, format)
    return {
        "report_id": report_id,
        "format": written.format,
        "file": written.file.name,
        "size_bytes": written.size_bytes,
    }


def write_report(report_id: int, exporter: Exporter, target: Path) -> int:
    """Write a ready report to `target` in the local file system, replacing it at once; return its size in bytes.

    Raises InvalidReport, ReportNotReady, OSError.
    """
    check_ready(find_report(report_id))
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".report-") as folder:
        path = Path(folder) / f"report.{exporter.extension}"
        exporter.write(stored_table(report_id), path)
        size_bytes = path.stat().st_size
        path.replace(target)
    return size_bytes


def file_name(report: Report, extension: str) -> str:
    """A name that says what the file is: kind, subject, first day, number."""
    subject = slugify(str(report.device or report.fleet or _("devices")))[:30]
    start = report.range_start.astimezone(report_zone(report))
    parts = (report.kind, subject, f"{start:%Y-%m-%d}", str(report.pk))
    return "-".join(part for part in parts if part) + f".{extension}"


def partial_folder(storage: Storage) -> tempfile.TemporaryDirectory[str]:
    """A folder for unfinished files: inside a local storage, so that publishing is one rename; else the system's own."""
    if not is_local(storage):
        return tempfile.TemporaryDirectory(prefix="report-")
    parent = Path(storage.path(PARTIAL_FOLDER))
    parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=parent)


def is_local(storage: Storage) -> bool:
    """Whether its files are files of this machine; every other storage is only ever asked to save, open and delete."""
    return isinstance(storage, FileSystemStorage)


class _MovableFile(File):
    """A finished file that a local storage may rename instead of copying."""

    def __init__(self, path: Path, opened: Any) -> None:
        super().__init__(opened, name=path.name)
        self.path = path

    def temporary_file_path(self) -> str:
        return str(self.path)


def check_ready(report: Report) -> None:
    """Raise InvalidReport for a report that will never have a file as it is, ReportNotReady for one that may soon."""
    if report.state == ReportState.FAILED:
        detail = _("Report %(id)s failed: %(error)s") % {"id": report.pk, "error": report.error}
        raise InvalidReport("report_failed", detail, field="report_id")
    if report.state == ReportState.CANCELLED:
        detail = _("Report %(id)s was cancelled.") % {"id": report.pk}
        raise InvalidReport("report_cancelled", detail, field="report_id")
    if report.state == ReportState.EXPIRED:
        detail = _("Report %(id)s expired and its content is gone; ask for it anew.") % {"id": report.pk}
        raise ReportExpired("report_expired", detail, field="report_id")
    if report.state != ReportState.READY:
        raise ReportNotReady(_("Report %(id)s is not ready yet.") % {"id": report.pk})


def _publish(report: Report, exporter: Exporter, path: Path) -> ReportFile:
    """Move the finished file into storage and give it its row; when the row cannot be written, the file goes again."""
    written = ReportFile(report=report, format=exporter.format, size_bytes=path.stat().st_size)
    with path.open("rb") as opened:
        written.file.save(file_name(report, exporter.extension), _MovableFile(path, opened), save=False)
    with ExitStack() as undo:
        undo.callback(written.file.storage.delete, str(written.file.name))
        try:
            with transaction.atomic():
                _check_still_there(report)
                written.save(force_insert=True)
        except IntegrityError as error:
            return _other_file(report, exporter, error)
        undo.pop_all()
    return written


def _check_still_there(report: Report) -> None:
    """Raise unless the content that was written is still the report's: it may have expired, or be made again."""
    now = Report.objects.defer("content").select_for_update(of=("self",)).filter(pk=report.pk).first()
    if now is not None:  # without a row the foreign key refuses the file
        check_ready(now)
        if now.finished_at != report.finished_at:
            raise ReportNotReady(_("Report %(id)s was made again meanwhile.") % {"id": report.pk})


def _other_file(report: Report, exporter: Exporter, error: IntegrityError) -> ReportFile:
    """The file another job wrote meanwhile; without one the report itself was deleted."""
    found = ReportFile.objects.filter(report_id=report.pk, format=exporter.format).first()
    if found is None:
        detail = _("There is no report %(id)s.") % {"id": report.pk}
        raise InvalidReport("unknown_report", detail, field="report_id") from error
    return found
