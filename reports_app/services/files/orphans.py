"""Orphans: files without a row, rows without a file, abandoned unfinished files."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from django.core.files.storage import Storage, default_storage
from django.utils import timezone

from reports_app.models import ReportFile
from reports_app.services.files.export import PARTIAL_FOLDER, is_local
from tasks_app.services.cleanup import is_older, stored_files

FILES_FOLDER = "reports"
# A file younger than this may be waiting for its row, an unfinished one still be written.
GRACE = timedelta(hours=1)
PARTIAL_GRACE = timedelta(days=1)


def delete_orphaned_files(*, now: datetime | None = None, dry_run: bool = False) -> dict[str, int]:
    """Delete orphans, or count them in a dry run; return {"files", "rows", "partials"}."""
    now = now or timezone.now()
    return {
        "files": _delete_files_without_row(default_storage, now, dry_run),
        "rows": _delete_rows_without_file(default_storage, dry_run),
        "partials": _delete_partials(default_storage, now, dry_run),
    }


def _delete_files_without_row(storage: Storage, now: datetime, dry_run: bool) -> int:
    known = set(ReportFile.objects.values_list("file", flat=True))
    unknown = [name for name in stored_files(storage, FILES_FOLDER) if name not in known]
    orphans = [name for name in unknown if is_older(storage, name, now - GRACE)]
    for name in orphans if not dry_run else []:
        storage.delete(name)
    return len(orphans)


def _delete_rows_without_file(storage: Storage, dry_run: bool) -> int:
    rows = ReportFile.objects.values_list("pk", "file").iterator()
    lost = [pk for pk, name in rows if not storage.exists(name)]
    if not dry_run:
        ReportFile.objects.filter(pk__in=lost).delete()
    return len(lost)


def _delete_partials(storage: Storage, now: datetime, dry_run: bool) -> int:
    """Delete what killed workers left behind; count what is gone. Only a local storage has a place for it."""
    parent = Path(storage.path(PARTIAL_FOLDER)) if is_local(storage) else None
    if parent is None or not parent.is_dir():
        return 0
    limit = (now - PARTIAL_GRACE).timestamp()
    old = [path for path in parent.iterdir() if 0 < _modified_at(path) < limit]
    if dry_run:
        return len(old)
    for path in old:
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return sum(not path.exists() for path in old)


def _modified_at(path: Path) -> float:
    """Return when it was written, in seconds since 1970; 0 where the export that wrote it has ended meanwhile."""
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0
