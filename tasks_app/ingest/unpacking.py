"""Gzip as a stream that gives all it can of a damaged file before it says so."""

from __future__ import annotations

import io
import zlib

from django.utils.translation import gettext as _

from tasks_app.ingest.errors import BodyError

GZIP_START = b"\x1f\x8b"
_PACKED_BYTES = 16 * 1024
_MAX_SALVAGED_BYTES = 8 * 1024 * 1024
_GZIP_FORMAT = 31  # zlib's number for gzip with the largest window


class Unpacked(io.RawIOBase):
    """The bytes of a gzip file of any number of members.

    Raises BodyError where the file is cut or damaged, after everything before that place was read, and for one that unpacks
    to more than `most_bytes`.
    """

    def __init__(self, packed: io.BufferedReader, most_bytes: int) -> None:
        super().__init__()
        self._packed = packed
        self._piece = b""
        self._member = zlib.decompressobj(_GZIP_FORMAT)
        self._ready = b""
        self._error: BodyError | None = None
        self._is_started = False
        self._left_bytes = most_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._ready:
            if self._error:
                raise self._error
            self._ready = self._next(len(buffer))
            self._left_bytes -= len(self._ready)
            if self._left_bytes < 0:
                raise BodyError("body_too_large", _("The file unpacks to far more than text of its size does."))
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _next(self, size: int) -> bytes:
        while True:
            piece = self._piece or self._packed.read(_PACKED_BYTES)
            if self._member.eof:
                piece = (self._member.unused_data or piece).lstrip(b"\x00")
                if piece:
                    self._member = zlib.decompressobj(_GZIP_FORMAT)
            if not piece:
                if self._is_started and not self._member.eof:
                    raise _damaged(_("it ends too early"))
                return b""
            self._is_started = True
            if data := self._unpack(piece, size):
                return data

    def _unpack(self, piece: bytes, size: int) -> bytes:
        before = self._member.copy()
        try:
            data = self._member.decompress(piece, size)
        except zlib.error as error:
            self._error = _damaged(str(error))
            data = _salvaged(before, piece)
            if not data:
                raise self._error from error
        else:
            self._piece = self._member.unconsumed_tail
        return data


def _salvaged(member: zlib._Decompress, piece: bytes) -> bytes:
    """The data of a damaged piece before the damage."""
    data = bytearray()
    try:
        for place in range(len(piece)):
            data += member.decompress(piece[place : place + 1], _MAX_SALVAGED_BYTES)
            if len(data) > _MAX_SALVAGED_BYTES:
                break
    except zlib.error:
        pass
    return bytes(data)


def _damaged(reason: str) -> BodyError:
    return BodyError("unreadable_file", _("The packed file is damaged: %(reason)s.") % {"reason": reason})
