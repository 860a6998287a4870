"""A storage that is out of reach, as a remote one may be."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from django.core.files.storage import FileSystemStorage, InMemoryStorage


class BucketError(Exception):
    """No OSError: the libraries of remote storages have errors of their own."""


class UnreachableStorage(InMemoryStorage):
    def _save(self, name: str, content: Any) -> str:
        raise BucketError("the bucket does not answer")


class FullStorage(FileSystemStorage):
    """A folder on a disk that is full after the first byte."""

    def _save(self, name: str, content: Any) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        raise OSError(errno.ENOSPC, "No space left on device")
