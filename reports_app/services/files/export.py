"""Export of ready reports to files in Django's storage. A file appears whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage, default_storage
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import override

from reports_app.exceptions import FileNotWritten, InvalidReport, ReportExpired, ReportNotReady
from reports_app.exporters import Exporter, get_exporter
from reports_app.models import Report, ReportFile, ReportState
from reports_app.queries import find_report, report_display_settings, stored_row_count, stored_table
from reports_app.services.files.formats import check_format
from reports_app.services.files.progress import with_progress
from reports_app.services.files.stored import files_in_reach
from reports_app.table import DisplaySettings
from tasks_app.engine import current_job

PARTIAL_FOLDER = "reports-partial"


def export_report(report_id: int, format: str, *, display: DisplaySettings | None = None) -> ReportFile:
    """Return the report's file in `format` for these display settings (None: the defaults), writing it if there is
    none.

    Stops between two chunks of rows when the job is cancelled. Raises InvalidReport (unknown_format,
    format_without_places, unknown_report, report_failed, report_cancelled), ReportExpired, ReportNotReady,
    FilesOutOfReach and FileNotWritten.
    """
    exporter, report = get_exporter(format), find_report(report_id)
    check_format(report.kind, format)
    check_ready(report)
    display = display or report_display_settings(None, report)
    if (existing := stored_file(report, format, display)) is not None:
        return existing
    _files_for(report, exporter, display).delete()
    with _whole_or_not_at_all(report), partial_folder(default_storage) as folder:
        path = _write(report, exporter, display, Path(folder))
        return _publish(report, exporter, display, path)


def stored_file(report: Report, format: str, display: DisplaySettings) -> ReportFile | None:
    """Return the existing file for these display settings, None if there is none or it was lost. Raises
    FilesOutOfReach."""
    found = _files_for(report, get_exporter(format), display).first()
    if found is None:
        return None
    with files_in_reach():
        return found if found.file.storage.exists(str(found.file.name)) else None


def run_export(*, report_id: int, format: str) -> dict[str, Any]:
    """Run the task export_report_data for its requester; return {"report_id", "format", "file", "size_bytes"}. Raises
    the errors of `export_report`."""
    user_id = current_job().requested_by_id
    user = get_user_model()._default_manager.filter(pk=user_id).first() if user_id else None
    get_exporter(format)
    written = export_report(report_id, format, display=report_display_settings(user, find_report(report_id)))
    return {
        "report_id": report_id,
        "format": written.format,
        "file": written.file.name,
        "size_bytes": written.size_bytes,
    }


def write_report(report_id: int, exporter: Exporter, target: Path, *, display: DisplaySettings | None = None) -> int:
    """Write a ready report to `target` in the local file system, replacing it at once; return its size in bytes.

    Raises InvalidReport, ReportNotReady, FileNotWritten.
    """
    report = find_report(report_id)
    check_format(report.kind, exporter.format)
    check_ready(report)
    with _whole_or_not_at_all(report), tempfile.TemporaryDirectory(dir=target.parent, prefix=".report-") as folder:
        path = _write(report, exporter, display or report_display_settings(None, report), Path(folder))
        size_bytes = path.stat().st_size
        path.replace(target)
    return size_bytes


def file_name(report: Report, extension: str) -> str:
    """Return a file name made of kind, subject, first day and id."""
    subject = slugify(str(report.device or report.fleet or _("devices")))[:30]
    start = report.range_start.astimezone(report.zone)
    parts = (report.kind, subject, f"{start:%Y-%m-%d}", str(report.pk))
    return "-".join(part for part in parts if part) + f".{extension}"


def partial_folder(storage: Storage) -> tempfile.TemporaryDirectory[str]:
    """Return a folder for unfinished files: in the storage if it is local, so that publishing is one rename, else in
    /tmp."""
    if not is_local(storage):
        return tempfile.TemporaryDirectory(prefix="report-")
    parent = Path(storage.path(PARTIAL_FOLDER))
    parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=parent)


def is_local(storage: Storage) -> bool:
    """Return whether its files are files of this machine. Of others only saving, opening and deleting is used."""
    return isinstance(storage, FileSystemStorage)


class _MovableFile(File):
    """A finished file, which a local storage renames instead of copying it."""

    def __init__(self, path: Path, opened: Any) -> None:
        super().__init__(opened, name=path.name)
        self.path = path

    def temporary_file_path(self) -> str:
        return str(self.path)


def check_ready(report: Report) -> None:
    """Raise ReportNotReady for an unfinished report, InvalidReport for one that failed, was cancelled or expired."""
    if report.state == ReportState.FAILED:
        detail = _("Report %(id)s failed: %(error)s") % {"id": report.pk, "error": report.error}
        raise InvalidReport("report_failed", detail, field="report_id")
    if report.state == ReportState.CANCELLED:
        detail = _("Report %(id)s was cancelled.") % {"id": report.pk}
        raise InvalidReport("report_cancelled", detail, field="report_id")
    if report.state == ReportState.EXPIRED:
        detail = _("Report %(id)s expired and its content was deleted. Request it again.") % {"id": report.pk}
        raise ReportExpired("report_expired", detail, field="report_id")
    if report.state != ReportState.READY:
        raise ReportNotReady(_("Report %(id)s is not ready yet.") % {"id": report.pk})


def _files_for(report: Report, exporter: Exporter, display: DisplaySettings) -> QuerySet[ReportFile]:
    """Return the file with the same content for these display settings, at most one."""
    return ReportFile.objects.filter(report=report, format=exporter.format, reads_as=_reads_as(exporter, display))


def _reads_as(exporter: Exporter, display: DisplaySettings) -> str:
    return display.reads_as if exporter.is_for_people else ""


def _write(report: Report, exporter: Exporter, display: DisplaySettings, folder: Path) -> Path:
    path = folder / f"report.{exporter.extension}"
    table = with_progress(stored_table(report.pk), row_count=stored_row_count(report.pk), format=exporter.format)
    with override(display.language):
        exporter.write(table, path, display)
    return path


@contextmanager
def _whole_or_not_at_all(report: Report) -> Iterator[None]:
    """Turn errors of the disk or storage into FileNotWritten. The unfinished file is deleted with its folder."""
    try:
        yield
    except OSError as error:
        detail = _("The file of report %(id)s could not be written: %(reason)s.")
        reason = error.strerror or str(error) or type(error).__name__
        raise FileNotWritten(detail % {"id": report.pk, "reason": reason}) from error


def _publish(report: Report, exporter: Exporter, display: DisplaySettings, path: Path) -> ReportFile:
    """Move the finished file into the storage and store its row; delete the file if the row cannot be stored."""
    reads_as, size_bytes = _reads_as(exporter, display), path.stat().st_size
    written = ReportFile(report=report, format=exporter.format, reads_as=reads_as, size_bytes=size_bytes)
    _save(written, file_name(report, exporter.extension), path)
    with ExitStack() as undo:
        undo.callback(written.file.storage.delete, str(written.file.name))
        try:
            with transaction.atomic():
                _check_still_there(report)
                written.save(force_insert=True)
        except IntegrityError as error:
            return _other_file(report, exporter, display, error)
        undo.pop_all()
    return written


def _save(written: ReportFile, name: str, path: Path) -> None:
    """Pass the finished file to the storage. Errors of the storage are raised as OSError."""
    try:
        with path.open("rb") as opened:
            written.file.save(name, _MovableFile(path, opened), save=False)
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _check_still_there(report: Report) -> None:
    """Raise unless the report is still ready: it may have expired, or be generated again."""
    now = Report.objects.defer("content").select_for_update(of=("self",)).filter(pk=report.pk).first()
    if now is not None:  # without a row the foreign key refuses the file
        check_ready(now)
        if now.finished_at != report.finished_at:
            raise ReportNotReady(_("Report %(id)s was made again meanwhile.") % {"id": report.pk})


def _other_file(report: Report, exporter: Exporter, display: DisplaySettings, error: IntegrityError) -> ReportFile:
    """Return the file that another job wrote meanwhile. Raises InvalidReport if the report was deleted."""
    found = _files_for(report, exporter, display).first()
    if found is None:
        detail = _("There is no report %(id)s.") % {"id": report.pk}
        raise InvalidReport("unknown_report", detail, field="report_id") from error
    return found
