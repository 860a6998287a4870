"""JSON texts one a line, with or without the record separators of RFC 8142."""

from __future__ import annotations

import io
from collections.abc import Iterator

from django.utils.translation import gettext as _

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.text_files import Lines, encoding_of, sample_text


def json_lines(stream: io.BufferedReader) -> Iterator[bytes]:
    """The lines that are not empty, one that is too long cut to nothing. Raises BodyError as Lines does, and for none."""
    is_empty = True
    for line in Lines(stream, encoding_of(stream.peek())):
        # White space of Python is the record separator too.
        if line is None or line.strip():
            is_empty = False
            yield line.strip().encode() if line else b"..."
    if is_empty:
        raise BodyError("empty", _("The file is empty."))


def has_a_line_each(head: bytes) -> bool:
    """Whether a file beginning so has an object in each line, and is not one document."""
    lines = _first_lines(head)
    return len(lines) > 1 and lines[0].startswith("{") and lines[0].endswith("}") and lines[1].startswith("{")


def is_document(head: bytes) -> bool:
    """Whether a file beginning so is one document over several lines, or a list."""
    first = next(iter(_first_lines(head)), "")
    return first.startswith("[") or first == "{"


def _first_lines(head: bytes) -> list[str]:
    lines = (line.strip("\ufeff \t\r\x1e") for line in sample_text(head).split("\n"))
    return [line for line in lines if line][:2]
