"""S3-compatible storage whose failures are the ones every other storage of Django has: OSError."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from django.utils.translation import gettext as _
from storages.backends.s3 import S3Storage

logger = logging.getLogger(__name__)


class BucketStorage(S3Storage):
    """Files in a bucket. A file that is opened for reading is fetched at once, so that nothing fails half way through it.

    Raises OSError for a bucket that is out of reach or refuses, FileNotFoundError for a file that is not there. What
    exactly happened is logged only, as users must not see addresses and names of buckets.
    """

    def exists(self, name: str) -> bool:
        with _as_os_error():
            found: bool = super().exists(name)
        return found

    def delete(self, name: str) -> None:
        with _as_os_error():
            super().delete(name)

    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        with _as_os_error():
            found: tuple[list[str], list[str]] = super().listdir(name)
        return found

    def size(self, name: str) -> int:
        with _as_os_error():
            size_bytes: int = super().size(name)
        return size_bytes

    def get_modified_time(self, name: str) -> datetime:
        with _as_os_error():
            modified_at: datetime = super().get_modified_time(name)
        return modified_at

    def _open(self, name: str, mode: str = "rb") -> Any:
        with _as_os_error():
            opened = super()._open(name, mode)
            return opened.open() if "r" in mode else opened

    def _save(self, name: str, content: Any) -> str:
        with _as_os_error():
            saved: str = super()._save(name, content)
        return saved


@contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, Boto3Error, ClientError) as error:
        logger.warning("The bucket refused or did not answer: %s", error)
        detail = _("the file storage does not answer as it should (%(error)s)") % {"error": type(error).__name__}
        raise OSError(errno.EIO, detail) from error
