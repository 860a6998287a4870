"""Static files of `make run`, collected again only when one of them changed: hashing and compressing takes seconds."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.contrib.staticfiles.finders import get_finders

from tasks_app.web.joined_files import JOINED

STAMP = "collected-from"


def fingerprint() -> str:
    """Return a digest of the names, sizes and times of all static files of the installed apps, and of which are joined."""
    digest = hashlib.sha256(repr(JOINED).encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def is_collected(folder: Path) -> bool:
    """Return whether `folder` holds the static files as they are now."""
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_text() == fingerprint()


def mark_collected(folder: Path) -> None:
    """Note that `folder` holds the static files as they are now."""
    (folder / STAMP).write_text(fingerprint())
