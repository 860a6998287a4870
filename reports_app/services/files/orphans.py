"""Orphans: files without a row, rows without a file, abandoned unfinished files."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from django.core.files.storage import Storage, default_storage
from django.utils import timezone

from reports_app.models import ReportFile
from reports_app.services.files.export import PARTIAL_FOLDER, is_local
from tasks_app.services.cleanup import stored_files

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
    orphans = [name for name in stored_files(storage, FILES_FOLDER) if name not in known]
    orphans = [name for name in orphans if storage.get_modified_time(name) < now - GRACE]
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
    """Delete folders that killed workers left behind. Only a local storage has them."""
    parent = Path(storage.path(PARTIAL_FOLDER)) if is_local(storage) else None
    if parent is None or not parent.is_dir():
        return 0
    limit = (now - PARTIAL_GRACE).timestamp()
    old = [folder for folder in parent.iterdir() if folder.stat().st_mtime < limit]
    for folder in old if not dry_run else []:
        shutil.rmtree(folder, ignore_errors=True)
    return len(old)
