"""Uploaded files of positions: kept in the storage, imported by a job, removed when that ended."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from tasks_app.engine import (
    JobCancelled,
    JobState,
    JobTimeout,
    PermanentError,
    QueueFull,
    QueueUnavailable,
    current_job,
    get_task,
)
from tasks_app.engine.records import FinishedJob
from tasks_app.exceptions import FileNotStored
from tasks_app.ingest.errors import BodyError
from tasks_app.models import Device, Fleet, Job, PositionUpload
from tasks_app.models.uploads import UNFINISHED, UploadState
from tasks_app.queries.access import ADD_DEVICES, has_right
from tasks_app.services.intake.imports import ImportSummary, estimate_fixes, import_file

logger = logging.getLogger(__name__)

IMPORT_TASK = "import_positions_file"
UPLOAD_FOLDER = "position-uploads"
EXTENSIONS = ("csv", "gpx", "geojson", "json", "jsonl", "ndjson")
STUCK_AFTER = timedelta(minutes=10)
MAX_ERROR_LENGTH = 1000
_BY_REASON = ("rejected", "filtered", "unknown_quantities")


class InvalidUpload(ValueError):
    """The file cannot be taken; `field` names the parameter that is wrong, the message says why."""

    def __init__(self, detail: str, *, field: str = "file") -> None:
        super().__init__(detail)
        self.field = field


def create_upload(
    *,
    file: File[bytes],
    requested_by: Any,
    device: Device | None = None,
    fleet: Fleet | None = None,
    file_format: str = "",
    time_zone: str = "UTC",
) -> PositionUpload:
    """Keep the file and enqueue its import. The caller checks permissions. Raises InvalidUpload, FileNotStored."""
    name = Path(file.name or "").name
    check_file(name, file.size, file_format)
    stored = _store(f"{UPLOAD_FOLDER}/{uuid4().hex}{''.join(Path(name).suffixes[-2:])[:20]}", file)
    try:
        with transaction.atomic():
            upload = PositionUpload.objects.create(
                name=name,
                file=stored,
                size_bytes=file.size,
                format=file_format,
                device=device,
                fleet=fleet,
                time_zone=time_zone,
                requested_by=requested_by,
                job_id=uuid4(),
            )
            # Robust: once the row is there, the file is its own, and the sweep enqueues what was not.
            transaction.on_commit(lambda: _enqueue(upload), robust=True)
    except BaseException:
        # Whatever ended it, an interrupt too: without a row nothing would ever remove the file.
        default_storage.delete(stored)
        raise
    return upload


def _store(name: str, file: File[bytes]) -> str:
    """Put the file into the storage, whole or not at all; return its name there. Raises FileNotStored."""
    try:
        return default_storage.save(name, file)
    except OSError as error:
        with suppress(OSError):  # What was written of it would take the room that is wanting.
            default_storage.delete(name)
        raise FileNotStored(error.strerror or str(error)) from error


def check_file(name: str, size_bytes: int, file_format: str) -> None:
    """Raise InvalidUpload for a file that need not be opened to see that it is none of ours."""
    if len(name.encode()) > 200 or name in ("", ".", "..") or not name.isprintable():
        raise InvalidUpload(_("The file's name is too long or has characters that cannot be shown."))
    extension = name.lower().removesuffix(".gz").rpartition(".")[2]
    if not file_format and extension not in EXTENSIONS:
        detail = _("A file's name must end in one of %(known)s, or that and .gz; else say its format.")
        raise InvalidUpload(detail % {"known": ", ".join(EXTENSIONS)})
    if not size_bytes:
        raise InvalidUpload(_("The file is empty."))
    if size_bytes > settings.MAX_UPLOAD_BYTES:
        raise InvalidUpload(_("At most %(most)d bytes are accepted.") % {"most": settings.MAX_UPLOAD_BYTES})


def import_upload(*, upload_id: int, now: datetime) -> dict[str, Any]:
    """The job of import_positions_file: store the file's fixes and remove it; return its counts and state.

    Begun again (its worker died, the database was away) it goes on after the last chunk it has counted, and what was
    stored is never stored twice. Raises PermanentError for a file that cannot be read.
    """
    upload = PositionUpload.objects.select_related("device", "fleet", "requested_by").filter(pk=upload_id).first()
    if upload is None:
        raise PermanentError(f"There is no upload {upload_id}.")
    if not _claim(upload):
        if current_job().id not in (None, upload.job_id):
            raise PermanentError(_why_not(upload))
        return {"upload_id": upload_id, "state": upload.state, **upload.counts}
    with _Ending(upload):
        if upload.requested_by is None or not upload.requested_by.is_active:
            raise PermanentError(_("Who uploaded the file is not a user any more."))
        if upload.fleet is not None and not has_right(upload.requested_by, upload.fleet, ADD_DEVICES):
            raise PermanentError(_("Who uploaded the file may not add devices to the fleet any more."))
        _import(upload, now)
    return {"upload_id": upload_id, "state": upload.state, **upload.counts}


def sweep_stuck_uploads(*, now: datetime) -> dict[str, int]:
    """Look after imports that did not end within ten minutes; return {"enqueued", "failed"}.

    One whose job ended ends as that did, with its reason. Any other is enqueued under its own job id, which changes nothing
    while that job lives and brings it back when Redis lost it.
    """
    uploads = list(_unfinished().filter(created_at__lt=now - STUCK_AFTER).order_by("created_at")[:500])
    ended = {job.pk: job for job in Job.objects.filter(pk__in=[upload.job_id for upload in uploads])}
    for upload in uploads:
        job = ended.get(upload.job_id)
        if job is None:
            _enqueue(upload)
        else:
            _end_as(upload, JobState(job.state), job.error_message)
    _remove_files_of_failed()
    return {"enqueued": len(uploads) - len(ended), "failed": len(ended)}


def end_uploads_of(jobs: list[FinishedJob]) -> None:
    """End the imports whose jobs ended without having run to their end: cancelled while they waited, lost too often."""
    ended = {UUID(job.job_id): job for job in jobs if job.task == IMPORT_TASK}
    for upload in _unfinished().filter(job_id__in=list(ended)) if ended else ():
        _end_as(upload, ended[upload.job_id].state, ended[upload.job_id].error_message)


def _end_as(upload: PositionUpload, state: JobState, error: str) -> None:
    """End an import as its job did, unless another job has taken it up since it was read."""
    with transaction.atomic():
        held = _unfinished().select_for_update().filter(pk=upload.pk, job_id=upload.job_id).first()
        if held is None:
            return
        if state is JobState.CANCELLED:
            _finish(held, UploadState.CANCELLED, _("The import was cancelled; what was stored stays."))
        else:
            _finish(held, UploadState.FAILED, error or _("Its job ended early."))


def why_not_imported_again(args: Sequence[Any], kwargs: dict[str, Any]) -> str | None:
    """Return why this call of import_positions_file cannot be made again; None if it can."""
    number: int = kwargs["upload_id"] if "upload_id" in kwargs else args[0]
    upload = PositionUpload.objects.filter(pk=number).first()
    if upload is None:
        return _("The import was removed. Upload its file again.")
    return None if _waiting(upload.pk).exists() else _why_not(upload)


def _why_not(upload: PositionUpload) -> str:
    """Return why an import that no other job may take up cannot be begun."""
    if upload.state == UploadState.RUNNING:
        return _("The import is still running.")
    return _("The file %(name)s was removed when its import ended. Upload it again.") % {"name": upload.name}


def _remove_files_of_failed() -> None:
    """An import that failed keeps its file for its job's next attempt; once that job ended there is none."""
    kept = PositionUpload.objects.filter(state=UploadState.FAILED).exclude(file="")
    for upload in kept.filter(job_id__in=Job.objects.values("pk"))[:500]:
        _finish(upload, UploadState.FAILED, upload.error)


def _enqueue(upload: PositionUpload) -> None:
    """A full or absent queue is no error here: the row and its file are safe, and the sweep enqueues it later."""
    try:
        get_task(IMPORT_TASK).apply_async([upload.pk], job_id=upload.job_id, requested_by=upload.requested_by_id)
    except (QueueFull, QueueUnavailable) as error:
        logger.warning("Upload %s waits for the next sweep: %s", upload.pk, error)


def _unfinished() -> Any:
    return PositionUpload.objects.filter(state__in=UNFINISHED)


def _claim(upload: PositionUpload) -> bool:
    """Take the row for this job: one that waits, or one this very job held when its worker died or it failed."""
    job_id = str(current_job().id or upload.job_id)
    mine = PositionUpload.objects.filter(
        pk=upload.pk, state__in=[UploadState.RUNNING, UploadState.FAILED], job_id=job_id
    )
    values: dict[str, Any] = {"state": UploadState.RUNNING, "error": "", "finished_at": None}
    return bool(mine.exclude(file="").update(**values) or _waiting(upload.pk).update(**values, job_id=job_id))


def _waiting(upload_id: int) -> Any:
    """The import if any job may take it up: none has yet, or the one that failed has ended and left the file."""
    ended = Exists(Job.objects.filter(pk=OuterRef("job_id")))
    free = Q(state=UploadState.PENDING) | (Q(state=UploadState.FAILED) & ended)
    return PositionUpload.objects.filter(free, pk=upload_id).exclude(file="")


def _import(upload: PositionUpload, now: datetime) -> None:
    summary = _summary_of(upload.counts)
    job = current_job()
    with _local_file(upload) as path:
        total = estimate_fixes(path)

        def report_progress(_count: int) -> None:
            upload.counts = _counts_of(summary)
            PositionUpload.objects.filter(pk=upload.pk).update(counts=upload.counts)
            job.progress(summary.read, max(total, summary.read), upload.name)
            job.raise_if_cancelled()

        import_file(
            path,
            summary,
            now=now,
            device_id=upload.device.unique_id if upload.device else None,
            create_in_fleet=upload.fleet,
            on_progress=report_progress,
            format_name=upload.format or None,
            zone=ZoneInfo(upload.time_zone),
            user_id=upload.requested_by_id,
            skip=summary.read,
        )
    upload.counts = _counts_of(summary)


@contextmanager
def _local_file(upload: PositionUpload) -> Iterator[Path]:
    """The file under the name it came with, which formats without device ids name the device by."""
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        path = Path(folder) / upload.name
        try:
            path.symlink_to(Path(upload.file.path).resolve())
        except NotImplementedError:  # a storage that is no folder of this machine
            with upload.file.open("rb") as source, path.open("wb") as target:
                shutil.copyfileobj(source, target)
        yield path


class _Ending:
    """Writes how the import ended, whatever the way, and removes the file unless another attempt may follow."""

    def __init__(self, upload: PositionUpload) -> None:
        self.upload = upload

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            _finish(self.upload, UploadState.DONE, "")
        elif isinstance(error, JobCancelled):
            _finish(self.upload, UploadState.CANCELLED, _reason(error, self.upload))
        elif isinstance(error, BodyError | FileNotFoundError | PermanentError | JobTimeout):
            _finish(self.upload, UploadState.FAILED, _reason(error, self.upload))
        else:
            _finish(self.upload, UploadState.FAILED, _reason(error, self.upload), keep_file=True)
        if isinstance(error, BodyError | FileNotFoundError):
            raise PermanentError(_reason(error, self.upload)) from error


def _finish(upload: PositionUpload, state: UploadState, error: str, *, keep_file: bool = False) -> None:
    stored = upload.file.name
    upload.state, upload.error, upload.finished_at = state.value, error, timezone.now()
    if not keep_file:
        upload.file.name = ""
    upload.save(update_fields=["state", "error", "finished_at", "counts", "file"])
    if stored and not keep_file:
        default_storage.delete(stored)


def _reason(error: BaseException, upload: PositionUpload) -> str:
    """One sentence for the user who uploaded the file."""
    if isinstance(error, JobCancelled):
        return _("The import was cancelled; what was stored stays.")
    if isinstance(error, JobTimeout):
        return _("The import took longer than its time limit; what was stored stays. Upload the file again to go on.")
    if isinstance(error, FileNotFoundError):
        return _("The uploaded file is gone.")
    if isinstance(error, BodyError) and upload.counts.get("read"):
        stays = _("The %(count)d positions before that were read, and what was stored of them stays.")
        return f"{error} {stays % {'count': upload.counts['read']}}".replace("\x00", "")[-MAX_ERROR_LENGTH:]
    text = str(error) if isinstance(error, BodyError | PermanentError) else f"{type(error).__name__}: {error}"
    return text.replace("\x00", "")[:MAX_ERROR_LENGTH]


def _counts_of(summary: ImportSummary) -> dict[str, Any]:
    numbers = {name: getattr(summary, name) for name in ("read", "stored", "duplicates", "events", "devices_created")}
    reasons = {name: dict(getattr(summary, name)) for name in _BY_REASON}
    return {**numbers, **reasons, "examples": dict(summary.examples), "remarks": summary.remarks}


def _summary_of(counts: dict[str, Any]) -> ImportSummary:
    by_reason = {name: Counter(counts.get(name, {})) for name in _BY_REASON}
    return ImportSummary(**{**counts, **by_reason})
