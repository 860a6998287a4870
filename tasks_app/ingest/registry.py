"""Which parser reads which file format: one line per format."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from tasks_app.ingest import csv_file, gpx, json_file
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.files import plain_name
from tasks_app.ingest.fix import Fix, RejectedFix


class FileParser(Protocol):
    """Reads one file as a stream; see the parsers' own docstrings for units and errors."""

    def __call__(
        self, path: Path | str, device_id: str | None = None, *, now: datetime | None = None
    ) -> Iterator[Fix | RejectedFix]: ...


# Format name, which is also the extension.
FILE_FORMATS: dict[str, FileParser] = {
    "csv": csv_file.iter_fixes,
    "gpx": gpx.iter_fixes,
    "json": json_file.iter_fixes,
    "jsonl": json_file.iter_fixes,
}


def parser_for(path: Path | str, format_name: str | None = None) -> FileParser:
    """The parser of `format_name`, else of the file's extension (.gz left aside). Raises BodyError for another one."""
    name = format_name or plain_name(Path(path)).rpartition(".")[2]
    parser = FILE_FORMATS.get(name.lower())
    if parser is None:
        raise BodyError("unknown_format", f"No parser for {name!r}; there are {', '.join(FILE_FORMATS)}.")
    return parser
