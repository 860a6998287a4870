"""Taking a list of objects out of a JSON document while it is read, so that a file of any size takes the same memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from django.utils.translation import gettext as _

from tasks_app.ingest.errors import BodyError

CHUNK_BYTES = 256 * 1024
MAX_ITEM_BYTES = 32 * 1024 * 1024
MAX_STRING_BYTES = 1024 * 1024
# A whole string, the quote of one that is not whole yet, or a bracket: all that decides where an object ends.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|"|[{}\[\]]', re.DOTALL)
_OPENING, _CLOSING = b"{[", b"}]"
_BETWEEN = b" \t\r\n,"


def iter_members(stream: IO[bytes], name: str, *, or_root: bool = False) -> Iterator[bytes]:
    """The members of the list `name` of the document's root object, each as its bytes, undecoded.

    With `or_root` the root may be that list itself. Only the brackets are checked; the decoder of a member finds what is
    wrong inside it. Raises BodyError (not_json) for a document that has no such list, is cut off or holds a member larger
    than 32 MiB, after the members before that place, and says where it is.
    """
    splitter = _Splitter(b'"' + name.encode() + b'"', or_root)
    # Of a damaged packed file `read` would lose what was unpacked before the damage.
    read = getattr(stream, "read1", None) or stream.read
    try:
        while chunk := read(CHUNK_BYTES):
            yield from splitter.feed(chunk)
        splitter.close(name)
    except BodyError as error:
        if not splitter.good_bytes:
            raise
        place = _("What can be read ends at byte %(place)d.") % {"place": splitter.good_bytes}
        raise BodyError(error.code, f"{error.detail} {place}") from error


class _Splitter:
    """`depth` counts open brackets; members of the list are one deeper than `list_depth`, which is 0 outside of it."""

    def __init__(self, key: bytes, or_root: bool) -> None:
        self.key, self.or_root = key, or_root
        self.buffer = b""
        self.place = 0  # up to here the buffer was looked at
        self.start = 0  # where the present member starts, or the gap between two of them
        self.depth = self.list_depth = 0
        self.forgotten_bytes = self.good_bytes = 0
        self.is_named = False
        self.was_found = self.is_over = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        self.buffer += chunk
        if self.place == 0 and self.depth == 0:
            self._check_root()
        for token in _TOKEN.finditer(self.buffer, self.place):
            text = token[0]
            if text == b'"':
                self.place = token.start()
                break
            self.place = token.end()
            if text[0] in _OPENING:
                self._open(text, token.start())
            elif text[0] in _CLOSING:
                yield from self._close(token.start(), token.end())
            elif self.depth == 1:
                self.is_named = text == self.key
        else:
            self.place = len(self.buffer)
        self._forget()

    def close(self, name: str) -> None:
        if self.depth or not self.is_over:
            raise BodyError("not_json", _("The file is not valid JSON: it ends too early."))
        if not self.was_found:
            raise BodyError("wrong_shape", _("The file has no list of %(name)s.") % {"name": name})

    def _check_root(self) -> None:
        start = self.buffer.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")[:1]
        if start not in ((b"", b"{", b"[") if self.or_root else (b"", b"{")):
            raise BodyError("not_json", _("The file is not a JSON object."))

    def _open(self, text: bytes, at: int) -> None:
        if self.is_over:
            raise BodyError("not_json", _("The file is not valid JSON: something follows its end."))
        is_named = self.depth == 1 and self.is_named and not self.list_depth
        if text == b"[" and (is_named or (self.depth == 0 and self.or_root)):
            self.list_depth = self.depth + 1
            self.was_found = True
            self.start = at + 1
        elif self.depth and self.depth == self.list_depth:
            self._check_gap(at)
            self.start = at
        self.depth += 1

    def _close(self, at: int, end: int) -> Iterator[bytes]:
        self.depth -= 1
        if self.list_depth and self.depth == self.list_depth:
            self.good_bytes = self.forgotten_bytes + end
            yield self.buffer[self.start : end]
            self.start = end
        elif self.list_depth and self.depth < self.list_depth:
            self._check_gap(at)
            self.list_depth, self.is_named = 0, False
        elif self.depth == 1:
            self.is_named = False
        if self.depth <= 0:
            self.is_over = True

    def _check_gap(self, until: int) -> None:
        if self.buffer[self.start : until].strip(_BETWEEN):
            raise BodyError("not_json", _("The list has members that are no objects."))

    def _forget(self) -> None:
        """Keep what is still needed: the present member, or an unfinished string."""
        if len(self.buffer) - self.place > MAX_STRING_BYTES:
            raise BodyError("not_json", _("A string has more than %(most)d bytes.") % {"most": MAX_STRING_BYTES})
        keep_from = min(self.start, self.place) if self.list_depth else self.place
        if len(self.buffer) - keep_from > MAX_ITEM_BYTES:
            raise BodyError(
                "not_json", _("A member of the list has more than %(most)d bytes.") % {"most": MAX_ITEM_BYTES}
            )
        if keep_from:
            self.forgotten_bytes += keep_from
            self.buffer = self.buffer[keep_from:]
            self.start, self.place = max(0, self.start - keep_from), self.place - keep_from
