"""A file of positions, and what the storage has of it."""

from __future__ import annotations

from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile

# The history of van-1: one fix a second.
CSV = b"device_id,timestamp,latitude,longitude\n" + b"".join(
    b"van-1,2020-01-01T00:00:%02dZ,45.%04d,13.0\n" % (number, number) for number in range(30)
)


def file(content: bytes = CSV, name: str = "history.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def stored_files(storage: Path) -> list[Path]:
    return [path for path in storage.rglob("*") if path.is_file()] if storage.is_dir() else []
