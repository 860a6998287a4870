"""Opening files of fixes: gzip by name, and every way a file can be broken as one BodyError."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from tasks_app.ingest.errors import BodyError

# Longer than any honest line; keeps a file without line ends (or a gzip bomb) from filling the memory.
MAX_LINE_CHARACTERS = 100_000
# Text of positions packs to a fifth or a thirtieth. What unpacks to more than this was made to keep a reader busy.
MAX_UNPACKED_RATIO = 200
UNPACKED_BYTES_FREE = 64 * 1024 * 1024
_HEAD_BYTES = 4096


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed when its name ends in .gz. Raises BodyError, or OSError if it cannot open it."""
    compressed = path.suffix.lower() == ".gz"
    with path.open("rb") as raw:
        try:
            if compressed:
                with _BoundedGzip(path.stat().st_size, raw) as unpacked:
                    yield cast(IO[bytes], unpacked)
            else:
                yield raw
        except (gzip.BadGzipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
            raise BodyError("unreadable_file", f"{path.name} is damaged or not what its name says: {error}") from error


class _BoundedGzip(gzip.GzipFile):
    """Unpacks as a stream and stops at a ratio no honest file has."""

    def __init__(self, packed_bytes: int, raw: IO[bytes]) -> None:
        super().__init__(fileobj=raw, mode="rb")
        self._left_bytes = UNPACKED_BYTES_FREE + MAX_UNPACKED_RATIO * packed_bytes

    def read(self, size: int | None = -1) -> bytes:
        return self._counted(super().read(size))

    def read1(self, size: int = -1) -> bytes:
        return self._counted(super().read1(size))

    def _counted(self, data: bytes) -> bytes:
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise BodyError("body_too_large", f"The file unpacks to more than {MAX_UNPACKED_RATIO} times its size.")
        return data


def first_bytes(path: Path) -> bytes:
    """The first 4 KiB of a file, unpacked. Raises as `opened`."""
    with opened(path) as stream:
        return stream.read(_HEAD_BYTES)


def first_line(path: Path) -> str:
    """The first line of a text file, as far as its first 4 KiB hold it. Raises as `opened`."""
    return next(iter(first_bytes(path).decode("utf-8-sig", "replace").splitlines()), "")


def lines(stream: IO[str]) -> Iterator[str]:
    """The lines of a text stream, each of bounded length. Raises BodyError for a longer one."""
    while line := stream.readline(MAX_LINE_CHARACTERS):
        if len(line) == MAX_LINE_CHARACTERS and not line.endswith("\n"):
            raise BodyError("unreadable_file", f"A line has more than {MAX_LINE_CHARACTERS} characters.")
        yield line


def plain_name(path: Path) -> str:
    """The file's name in lower case without .gz."""
    return path.name.lower().removesuffix(".gz")


def stem(path: Path) -> str:
    """The file's name without its extension and without .gz, as written."""
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem
