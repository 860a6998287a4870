"""Writing a ready report to a file in Django's storage: whole or not at all."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.files.storage import Storage, default_storage
from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from reports_app.exceptions import InvalidReport, ReportNotReady
from reports_app.exporters.base import Exporter
from reports_app.exporters.registry import get_exporter
from reports_app.models import Report, ReportFile, ReportState
from reports_app.queries import find_report, report_zone, stored_table

PARTIAL_FOLDER = "reports-partial"


def export_report(report_id: int, format: str) -> ReportFile:
    """The report's file in `format` (json, csv, xlsx), written now unless it is there already.

    Raises InvalidReport (unknown_format, unknown_report, report_failed) and ReportNotReady.
    """
    exporter, report = get_exporter(format), find_report(report_id)
    _check_ready(report)
    existing = ReportFile.objects.filter(report=report, format=exporter.format).first()
    if existing is not None:
        if existing.file.storage.exists(str(existing.file.name)):
            return existing
        existing.delete()
    with partial_folder(default_storage) as folder:
        path = Path(folder) / f"report.{exporter.extension}"
        exporter.write(stored_table(report_id), path)
        return _publish(report, exporter, path)


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
    _check_ready(find_report(report_id))
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
    if not hasattr(storage, "base_location"):
        return tempfile.TemporaryDirectory(prefix="report-")
    parent = Path(storage.path(PARTIAL_FOLDER))
    parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=parent)


class _MovableFile(File):
    """A finished file that a local storage may rename instead of copying."""

    def __init__(self, path: Path, opened: Any) -> None:
        super().__init__(opened, name=path.name)
        self.path = path

    def temporary_file_path(self) -> str:
        return str(self.path)


def _check_ready(report: Report) -> None:
    if report.state == ReportState.FAILED:
        detail = _("Report %(id)s failed: %(error)s") % {"id": report.pk, "error": report.error}
        raise InvalidReport("report_failed", detail, field="report_id")
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
                written.save(force_insert=True)
        except IntegrityError as error:
            return _other_file(report, exporter, error)
        undo.pop_all()
    return written


def _other_file(report: Report, exporter: Exporter, error: IntegrityError) -> ReportFile:
    """The file another job wrote meanwhile; without one the report itself was deleted."""
    found = ReportFile.objects.filter(report_id=report.pk, format=exporter.format).first()
    if found is None:
        detail = _("There is no report %(id)s.") % {"id": report.pk}
        raise InvalidReport("unknown_report", detail, field="report_id") from error
    return found
