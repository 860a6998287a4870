"""Text of files whose encoding nobody states: UTF-8, UTF-16 and UTF-32, and what Windows wrote before them."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from django.utils.translation import gettext as _

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.files import SAMPLE_BYTES, opened, pieces

# Longer than any honest line; keeps a file without line ends (or a gzip bomb) from filling the memory.
MAX_LINE_CHARACTERS = 100_000
OTHERWISE_WINDOWS = "otherwise-windows-1252"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """A codec; `is_guess` where bytes are no UTF-8, and are taken as Windows-1252, `is_declared` where the file names it."""

    name: str
    is_guess: bool = False
    is_declared: bool = False

    def decoder(self) -> codecs.IncrementalDecoder:
        return codecs.getincrementaldecoder(self.name)(self.errors)

    @property
    def errors(self) -> str:
        if self.name.startswith("utf-8"):
            return OTHERWISE_WINDOWS
        return "replace" if self.is_declared else "strict"


def remarks_about(path: Path) -> list[str]:
    """Sentences for people about how the text of a file was understood. Raises BodyError and OSError as `opened`."""
    with opened(path) as stream:
        is_guess = encoding_of(stream.peek()).is_guess
    return [_("The file is not UTF-8; its letters were read as Windows-1252.")] if is_guess else []


def encoding_of(sample: bytes) -> Encoding:
    """How the first bytes of a text file read: by their mark, by the zeros of UTF-16 without one, else as UTF-8."""
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return Encoding(name)
    half = len(sample) // 2
    zeros_first, zeros_second = sample[0::2].count(0), sample[1::2].count(0)
    # Columns, numbers and times are ASCII whatever the language: most of their upper bytes are zero.
    if max(zeros_first, zeros_second) > 0.6 * half and min(zeros_first, zeros_second) < 0.1 * half:
        return Encoding("utf-16-be" if zeros_first > zeros_second else "utf-16-le")
    try:
        codecs.getincrementaldecoder("utf-8")("strict").decode(sample)
    except UnicodeDecodeError:
        return Encoding("utf-8-sig", is_guess=True)
    return Encoding("utf-8-sig")


def sample_text(sample: bytes) -> str:
    """The text of a file's first bytes, as far as they go."""
    encoding = encoding_of(sample)
    try:
        return encoding.decoder().decode(sample)
    except UnicodeDecodeError:
        return sample.decode(encoding.name, "replace")


def texts(stream: io.BufferedReader, encoding: Encoding) -> Iterator[str]:
    """The text piece by piece. Raises BodyError and UnicodeDecodeError where it breaks, after all before that."""
    decoder = encoding.decoder()
    for piece in pieces(stream):
        yield decoder.decode(piece)
    yield decoder.decode(b"", True)


def as_utf8(stream: io.BufferedReader) -> io.BufferedReader:
    """The same text in UTF-8, for parsers that take no other encoding; the stream itself where it is UTF-8 already."""
    encoding = encoding_of(stream.peek())
    if encoding.name.startswith("utf-8") and not encoding.is_guess:
        return stream
    return io.BufferedReader(cast(Any, _AsUtf8(stream, encoding)), SAMPLE_BYTES)


class _AsUtf8(io.RawIOBase):
    """Text of any encoding as UTF-8. Raises BodyError where it breaks, after all before that."""

    def __init__(self, stream: io.BufferedReader, encoding: Encoding) -> None:
        self._texts = texts(stream, encoding)
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            while not self._ready:
                self._ready = next(self._texts).encode()
        except StopIteration:
            return 0
        except UnicodeDecodeError as error:
            raise as_body_error(error) from error
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


class Lines(Iterator[str | None]):
    """The lines of a text file, None for one of more than MAX_LINE_CHARACTERS; `number` is that of the last one, from 1,
    `is_ended` says whether it had a line end.

    Raises BodyError where the file breaks, with the number of the last whole line.
    """

    def __init__(self, stream: io.BufferedReader, encoding: Encoding) -> None:
        self._text = io.TextIOWrapper(stream, encoding=encoding.name, errors=encoding.errors, newline="")
        self.number, self.is_ended = 0, True

    def __next__(self) -> str | None:
        try:
            line = self._text.readline(MAX_LINE_CHARACTERS)
            if not line:
                raise StopIteration
            is_whole = len(line) < MAX_LINE_CHARACTERS or line.endswith("\n")
            if not is_whole:
                self._skip()
        except (BodyError, UnicodeDecodeError) as error:
            raise self._broken(error) from error
        self.number += 1
        self.is_ended = line[-1] in "\r\n"
        return line if is_whole else None

    def _broken(self, error: BodyError | UnicodeDecodeError) -> BodyError:
        reason = as_body_error(error)
        if not self.number:
            return reason
        detail = _("Line %(number)d is the last one that can be read. %(reason)s")
        return BodyError(reason.code, detail % {"number": self.number, "reason": reason.detail})

    def _skip(self) -> None:
        while (rest := self._text.readline(MAX_LINE_CHARACTERS)) and not rest.endswith(("\n", "\r")):
            pass


def as_body_error(error: BodyError | UnicodeDecodeError) -> BodyError:
    """The error as a sentence about the file."""
    if isinstance(error, BodyError):
        return error
    return BodyError("unreadable_file", _("The text is damaged; save it as UTF-8: %(reason)s") % {"reason": error})


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    # Five bytes mean nothing in Windows-1252; in Latin-1 every byte means something.
    letters = "".join(
        wrong[place : place + 1].decode("cp1252", "ignore") or chr(wrong[place]) for place in range(len(wrong))
    )
    return letters, error.end


codecs.register_error(OTHERWISE_WINDOWS, _as_windows)
