"""A storage that is out of reach, as a remote one may be."""

from __future__ import annotations

from typing import Any

from django.core.files.storage import InMemoryStorage


class BucketError(Exception):
    """No OSError: the libraries of remote storages have errors of their own."""


class UnreachableStorage(InMemoryStorage):
    def _save(self, name: str, content: Any) -> str:
        raise BucketError("the bucket does not answer")
