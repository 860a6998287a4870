"""Clean-up of stored files without a row."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from django.core.files.storage import Storage, default_storage

from tasks_app.services.cleanup.runs import Run

# A file younger than this may be waiting for its row.
GRACE = timedelta(hours=1)


def stored_files(storage: Storage, folder: str) -> Iterator[str]:
    """Names of all files under `folder` of the storage, none when there is no such folder."""
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (f"{folder}/{name}" for name in files)
    for inner in folders:
        yield from stored_files(storage, f"{folder}/{inner}")


def is_older(storage: Storage, name: str, limit: datetime) -> bool:
    """Return whether the file was written before; one that another process deletes meanwhile was not."""
    with suppress(FileNotFoundError):
        return storage.get_modified_time(name) < limit
    return False


def remove_files_without_row(folder: str, known: Collection[str], *, now: datetime, run: Run) -> int:
    """Remove (in a dry run: count) files under `folder` that are not `known` and older than an hour; return how many."""
    count = 0
    for name in stored_files(default_storage, folder):
        if not run.has_time():
            break
        if name in known or not is_older(default_storage, name, now - GRACE):
            continue
        size = default_storage.size(name)
        if not run.dry_run:
            default_storage.delete(name)
        run.add(folder, 1, size)
        count += 1
    return count
