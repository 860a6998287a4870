"""Archives of positions: a table's rows as gzipped CSV in the storage, whole or not at all; and the way back."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO
from uuid import uuid4

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils.translation import gettext as _

from tasks_app.engine import PermanentError, current_job
from tasks_app.models import Device, PositionArchive
from tasks_app.services.cleanup.runs import scalar
from tasks_app.services.partitions import ensure_partitions
from tasks_app.utils.copying import copy

FOLDER = "position-archives"
LINES_AT_ONCE = 5000
# Fast, and still a fifth of the text: the numbers do not compress much better.
_COMPRESSION = 1
COLUMNS = (
    "device_id, fix_time, received_at, latitude, longitude, altitude_meters, speed_kph, course_degrees, accuracy_meters,"
    " attributes"
)
_COPY_OUT = f"""
    COPY (SELECT d.unique_id, {", ".join(f"p.{column.strip()}" for column in COLUMNS.split(","))}
          FROM "{{table}}" p LEFT JOIN {Device._meta.db_table} d ON d.id = p.device_id)
    TO STDOUT (FORMAT csv, HEADER)
"""  # noqa: S608 - constant names; the table is a partition's, from the catalogue
_STAGING = """
    DROP TABLE IF EXISTS restore_staging;
    CREATE TEMP TABLE restore_staging ON COMMIT DROP
    AS SELECT ''::text AS unique_id, p.* FROM tasks_app_position p WITH NO DATA
"""
_COPY_IN = f"COPY restore_staging (unique_id, {COLUMNS}) FROM STDIN (FORMAT csv)"
# A device that was made anew has another number.
_INSERT = f"""
    INSERT INTO tasks_app_position ({COLUMNS})
    SELECT d.id, {COLUMNS.partition(", ")[2]} FROM restore_staging s JOIN {Device._meta.db_table} d USING (unique_id)
    ON CONFLICT DO NOTHING
"""  # noqa: S608
_COUNT_KNOWN = f"SELECT count(*) FROM restore_staging JOIN {Device._meta.db_table} USING (unique_id)"  # noqa: S608


class ArchiveFailed(RuntimeError):
    """The archive could not be written (a full disk, say). Nothing was removed."""


class ArchiveDamaged(PermanentError):
    """The file is gone or damaged. Nothing was restored."""


class _Hashed:
    """A file that hashes its contents, and stops the archive of a cancelled job."""

    def __init__(self, file: IO[bytes]) -> None:
        self.sha256 = hashlib.sha256()
        self._file = file

    def write(self, data: bytes) -> int:
        current_job().raise_if_cancelled()
        self.sha256.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def archive_table(table: str, day: date, *, now: datetime) -> PositionArchive:
    """Write the positions in `table` to the storage and list them. Raises ArchiveFailed, JobCancelled."""
    name = f"{FOLDER}/{day:%Y}/positions-{day:%Y%m%d}-{uuid4().hex[:8]}.csv.gz"
    try:
        with tempfile.NamedTemporaryFile(suffix=".csv.gz") as file:
            rows, sha256 = _write(table, file)
            size = file.tell()
            file.seek(0)
            name = _keep(name, file, size)
    except OSError as error:
        with suppress(OSError):
            default_storage.delete(name)
        raise ArchiveFailed(
            _("The archive was not written, nothing was removed: %(error)s") % {"error": error}
        ) from error
    return PositionArchive.objects.create(day=day, rows=rows, size_bytes=size, sha256=sha256, file=name, created_at=now)


def _write(table: str, file: IO[bytes]) -> tuple[int, str]:
    hashed = _Hashed(file)
    with (
        gzip.GzipFile(fileobj=hashed, mode="wb", compresslevel=_COMPRESSION, mtime=0) as packed,
        connection.cursor() as cursor,
    ):
        copy(cursor, _COPY_OUT.format(table=table), packed)
        rows = int(cursor.rowcount)
    file.flush()
    return rows, hashed.sha256.hexdigest()


def _keep(name: str, file: IO[bytes], size: int) -> str:
    """Put the file into the storage and onto its disk; return its name there. Raises OSError unless all of it arrived."""
    stored = default_storage.save(name, File(file))
    with suppress(NotImplementedError):  # a storage that is no folder of this machine
        for path in (Path(default_storage.path(stored)), Path(default_storage.path(stored)).parent):
            _sync(path)
    if default_storage.size(stored) != size:
        raise OSError(f"{stored} has {default_storage.size(stored)} bytes instead of {size}.")
    return stored


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard_archive(archive: PositionArchive) -> None:
    """Take an archive off the list and out of the storage.

    In this order: a file without a row is found by cleanup_orphaned_data, a row without a file promises too much.
    """
    name = str(archive.file.name)
    archive.delete()
    default_storage.delete(name)


def is_archived(table: str, day: date) -> bool:
    """Whether an archive of the day holds as many rows as the table, to which nothing is added any more."""
    rows = scalar(f'SELECT count(*) FROM "{table}"')  # noqa: S608 - a partition's name
    newest = PositionArchive.objects.filter(day=day).order_by("-id").first()
    return newest is not None and newest.rows == rows


def restore_archive(archive: PositionArchive, *, keep_days: int, now: datetime) -> dict[str, int]:
    """Store the positions of an archive again, each once; return {"read", "restored", "present", "unknown_devices"}.

    Nothing is derived from them and nobody is notified. Retention leaves the day alone for `keep_days`. Rows whose device
    (by its unique id) does not exist are counted, not stored. Raises ArchiveDamaged, JobCancelled.
    """
    check_archive(archive)
    archive.restored_at, archive.restored_until = now, now + timedelta(days=keep_days)
    archive.save(update_fields=["restored_at", "restored_until"])
    ensure_partitions([archive.day])
    counts = {"read": 0, "restored": 0, "present": 0, "unknown_devices": 0}
    for lines in _chunks(archive):
        current_job().raise_if_cancelled()
        known, restored = _store(lines)
        counts["read"] += len(lines)
        counts["restored"] += restored
        counts["present"] += known - restored
        counts["unknown_devices"] += len(lines) - known
        current_job().progress(counts["read"], archive.rows, str(archive.day))
    return counts


def check_archive(archive: PositionArchive) -> None:
    """Raises ArchiveDamaged unless the file is the one that was written."""
    try:
        with default_storage.open(str(archive.file.name)) as file:
            found = hashlib.sha256()
            for chunk in file.chunks():
                found.update(chunk)
    except FileNotFoundError as error:
        raise ArchiveDamaged(_("The file %(name)s is gone.") % {"name": archive.file.name}) from error
    if found.hexdigest() != archive.sha256:
        raise ArchiveDamaged(_("The file %(name)s is not what was written.") % {"name": archive.file.name})


def _chunks(archive: PositionArchive) -> Iterator[list[bytes]]:
    with default_storage.open(str(archive.file.name)) as packed, gzip.open(packed) as lines:
        next(lines)
        while chunk := list(islice(lines, LINES_AT_ONCE)):
            yield chunk


def _store(lines: list[bytes]) -> tuple[int, int]:
    """How many of these have a device, and how many of those were not stored yet."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_STAGING)
        copy(cursor, _COPY_IN, io.BytesIO(b"".join(lines)))
        cursor.execute(_COUNT_KNOWN)
        known = int(cursor.fetchone()[0])
        cursor.execute(_INSERT)
        return known, int(cursor.rowcount)
