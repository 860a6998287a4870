"""Refusing uploads that are too large before they are written to disk."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

# Other fields of the form, and the boundaries between them.
FORM_BYTES = 64 * 1024


class BoundedUploadHandler(FileUploadHandler):
    """First of FILE_UPLOAD_HANDLERS: a form larger than MAX_UPLOAD_BYTES is refused by its stated length.

    A multipart body without one is not read at all by Django, so there is no way around it.
    """

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *args: Any, **kwargs: Any) -> None:
        if content_length > settings.MAX_UPLOAD_BYTES + FORM_BYTES:
            raise RequestDataTooBig(f"At most {settings.MAX_UPLOAD_BYTES} bytes are accepted.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
