"""Files of JSON positions in the product's own form or Traccar's: one list or object, or one position a line, whatever the
file's name."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from django.utils.translation import gettext as _

from tasks_app.ingest.content import text_kind
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.files import opened, pieces, plain_name
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.json_batch import decode_body, decode_json, parse_batch
from tasks_app.ingest.json_lines import has_a_line_each, is_document, json_lines
from tasks_app.ingest.json_stream import iter_members
from tasks_app.ingest.text_files import as_utf8
from tasks_app.ingest.traccar_positions import in_own_form

# A JSON document is read as a whole, so its size bounds the memory; lines are not bounded.
MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
MAX_DOCUMENT_FIXES = 1_000_000


def iter_fixes(
    path: Path | str, device_id: str | None = None, *, now: datetime | None = None, zone: tzinfo | None = None
) -> Iterator[Fix | RejectedFix]:
    """Fixes and rejections in file order; `index` counts positions from 0, `device_id` replaces the positions' own;
    `zone` changes nothing, their times state theirs.

    Raises BodyError when the file cannot be read as JSON, or no further, OSError when it cannot be opened.
    """
    path, now = Path(path), now or datetime.now(UTC)
    for index, item in enumerate(_items(path)):
        if isinstance(item, dict):
            item = in_own_form(item)
            item = {**item, "device_id": device_id} if device_id else item
        batch = parse_batch([item], now=now, is_history=True)
        yield from batch.fixes
        yield from (RejectedFix(index, bad.code, bad.detail) for bad in batch.rejected)


def _items(path: Path) -> Iterator[object]:
    with opened(path) as stream:
        head = stream.peek()
        is_jsonl = plain_name(path).endswith((".jsonl", ".ndjson"))
        if has_a_line_each(head) or (is_jsonl and not is_document(head)):
            yield from _line_items(stream)
        else:
            yield from _document_items(as_utf8(stream))


def _document_items(stream: io.BufferedReader) -> Iterator[object]:
    """The positions of one document; of a damaged one those before the damage, and those after it if its brackets close."""
    body, damage = _read(stream)
    try:
        yield from decode_body(body, max_bytes=MAX_DOCUMENT_BYTES, max_fixes=MAX_DOCUMENT_FIXES)
    except BodyError as error:
        if error.code == "empty":
            raise BodyError("empty", _("The file is a list without a position.")) from error
        if error.code != "not_json":
            raise
        if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
            raise BodyError("not_json", f"{text_kind(body)} {error.detail}".strip()) from error
        yield from _salvaged_items(body, error, damage)
    if damage:
        raise damage


def _read(stream: io.BufferedReader) -> tuple[bytes, BodyError | None]:
    """The bytes of a document, and where they end in damage, what that is."""
    body = bytearray()
    try:
        for piece in pieces(stream):
            body += piece
            if len(body) > MAX_DOCUMENT_BYTES:
                break
    except BodyError as error:
        return bytes(body), error
    return bytes(body), None


def _salvaged_items(body: bytes, error: BodyError, damage: BodyError | None) -> Iterator[object]:
    count = 0
    try:
        for raw in iter_members(io.BytesIO(body), "positions", or_root=True):
            yield _item(raw)
            count += 1
    except BodyError as broken:
        reason = broken if count else error
        raise BodyError(reason.code, f"{damage.detail} {reason.detail}" if damage else reason.detail) from error
    if not count:
        raise error


def _line_items(stream: io.BufferedReader) -> Iterator[object]:
    kind = text_kind(stream.peek())
    has_objects = False
    for line in json_lines(stream):
        item = _item(line)
        has_objects = has_objects or isinstance(item, dict)
        yield item
    if not has_objects:
        detail = _("The file has no JSON object in any of its lines.")
        raise BodyError("not_json", f"{kind} {detail}".strip())


def _item(raw: bytes) -> object:
    """The value of a JSON text; for one that is none a text, which is rejected in its place."""
    try:
        return decode_json(raw)
    except BodyError:
        return raw[:50].decode(errors="replace")
