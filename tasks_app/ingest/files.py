"""Opening files of fixes, packed or plain."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from django.utils.translation import gettext as _

from tasks_app.ingest.content import check_no_other_kind
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.unpacking import GZIP_START, Unpacked

# Text of positions packs to a fifth or a thirtieth. What unpacks to more than this was made to keep a reader busy.
MAX_UNPACKED_RATIO = 200
UNPACKED_BYTES_FREE = 64 * 1024 * 1024
# What a reader sees of a file before it decides how to read it.
SAMPLE_BYTES = 256 * 1024
PIECE_BYTES = 64 * 1024


@contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader]:
    """The file's bytes, unpacked where they are gzip; `peek` shows up to SAMPLE_BYTES of them.

    Raises BodyError for a file that is damaged or plainly of another kind (an image, an archive), and for a pipe, which
    can be read only once, OSError when it cannot be opened.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise BodyError("unreadable_file", _("Pipes and devices are not read; write it to a file first."))
    with _buffered(io.FileIO(path)) as plain:
        stream = plain
        if path.suffix.lower() == ".gz" or plain.peek().startswith(GZIP_START):
            most_bytes = UNPACKED_BYTES_FREE + MAX_UNPACKED_RATIO * path.stat().st_size
            stream = _buffered(Unpacked(plain, most_bytes))
        check_no_other_kind(stream.peek())
        yield stream


def _buffered(raw: io.RawIOBase) -> io.BufferedReader:
    return io.BufferedReader(cast(Any, raw), SAMPLE_BYTES)


def pieces(stream: io.BufferedReader) -> Iterator[bytes]:
    """The bytes piece by piece, so that those before a damaged place are not lost."""
    while piece := stream.read1(PIECE_BYTES):
        yield piece


def first_bytes(path: Path) -> bytes:
    """The first bytes of a file, unpacked. Raises as `opened`."""
    with opened(path) as stream:
        return stream.peek()


def plain_name(path: Path) -> str:
    """The file's name in lower case without .gz."""
    return path.name.lower().removesuffix(".gz")


def stem(path: Path) -> str:
    """The file's name without its extension and without .gz, as written."""
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem
