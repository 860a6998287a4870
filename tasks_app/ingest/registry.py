"""Which parser reads which file format: one line per format."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Protocol

from tasks_app.ingest import csv_file, geojson_file, gpx, json_file, traccar_csv
from tasks_app.ingest.content import text_kind
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.files import first_bytes, plain_name
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.text_files import sample_text


class FileParser(Protocol):
    """Reads one file as a stream; see the parsers' own docstrings for units and errors."""

    def __call__(
        self, path: Path | str, device_id: str | None = None, *, now: datetime | None = None, zone: tzinfo | None = None
    ) -> Iterator[Fix | RejectedFix]: ...


FILE_FORMATS: dict[str, FileParser] = {
    "csv": csv_file.iter_fixes,
    "geojson": geojson_file.iter_fixes,
    "gpx": gpx.iter_fixes,
    "json": json_file.iter_fixes,
    "jsonl": json_file.iter_fixes,
    "traccar_csv": traccar_csv.iter_fixes,
}


def parser_for(path: Path | str, format_name: str | None = None) -> FileParser:
    """The parser of `format_name`, else of the file. Raises as `format_of`, and BodyError for a name that is none."""
    name = format_name or format_of(Path(path))
    parser = FILE_FORMATS.get(name)
    if parser is None:
        raise _unknown(name)
    return parser


def format_of(path: Path) -> str:
    """The format of a file by its extension (.gz left aside), and by its first line where several share one.

    Raises BodyError for an extension no parser reads, OSError when the file cannot be opened.
    """
    name = plain_name(path).rpartition(".")[2]
    if name == "csv" and traccar_csv.is_traccar(path):
        return "traccar_csv"
    # Another name of the same format (https://github.com/ndjson/ndjson-spec).
    name = "jsonl" if name == "ndjson" else name
    if name in ("json", "jsonl") and geojson_file.is_geojson(sample_text(first_bytes(path)).encode()):
        return "geojson"
    if name not in FILE_FORMATS:
        unknown = _unknown(name)
        raise BodyError(unknown.code, f"{text_kind(first_bytes(path))} {unknown.detail}".strip())
    return name


def _unknown(name: str) -> BodyError:
    return BodyError("unknown_format", f"No parser for {name!r}; there are {', '.join(FILE_FORMATS)}.")
