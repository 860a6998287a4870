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


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed when its name ends in .gz. Raises BodyError, or OSError if it cannot open it."""
    compressed = path.suffix.lower() == ".gz"
    with path.open("rb") as raw:
        try:
            if compressed:
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield cast(IO[bytes], unpacked)
            else:
                yield raw
        except (gzip.BadGzipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
            raise BodyError("unreadable_file", f"{path.name} is damaged or not what its name says: {error}") from error


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
