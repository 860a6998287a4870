"""Files of JSON positions in the product's own form: .json (one list or object) and .jsonl (one position per line)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.files import lines, opened, plain_name
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.json_batch import decode_body, parse_batch

# A JSON document is read as a whole, so its size bounds the memory; lines are not bounded.
MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
MAX_DOCUMENT_FIXES = 1_000_000


def iter_fixes(
    path: Path | str, device_id: str | None = None, *, now: datetime | None = None, zone: tzinfo | None = None
) -> Iterator[Fix | RejectedFix]:
    """Fixes and rejections in file order; `index` counts positions from 0, `device_id` replaces the positions' own;
    `zone` changes nothing, their times state theirs.

    Raises BodyError when the file cannot be read as JSON, OSError when it cannot be opened.
    """
    path, now = Path(path), now or datetime.now(UTC)
    for index, item in enumerate(_items(path)):
        if device_id and isinstance(item, dict):
            item = {**item, "device_id": device_id}
        batch = parse_batch([item], now=now, is_history=True)
        yield from batch.fixes
        yield from (RejectedFix(index, bad.code, bad.detail) for bad in batch.rejected)


def _items(path: Path) -> Iterator[object]:
    with opened(path) as stream:
        if plain_name(path).endswith((".jsonl", ".ndjson")):
            with io.TextIOWrapper(stream, encoding="utf-8-sig") as text:
                yield from _line_items(text)
        else:
            body = stream.read(MAX_DOCUMENT_BYTES + 1)
            yield from decode_body(body, max_bytes=MAX_DOCUMENT_BYTES, max_fixes=MAX_DOCUMENT_FIXES)


def _line_items(stream: io.TextIOWrapper) -> Iterator[object]:
    for line in lines(stream):
        if line.strip():
            try:
                yield decode_body(f"[{line}]".encode(), max_bytes=MAX_DOCUMENT_BYTES, max_fixes=1)[0]
            except BodyError:
                yield line[:50]  # not an object: rejected with its place, and the next line is read
