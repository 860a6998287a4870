"""GPX as other programs read it, made into XML a strict parser takes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from html.entities import name2codepoint

from tasks_app.ingest.text_files import Encoding, encoding_of

_DECLARATION = re.compile(r"\ufeff?\s*<\?xml\b[^>]*\?>")
_DECLARED = re.compile(rb"<\?xml\b[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})", re.IGNORECASE)
# Codecs of letters; Python's others (zip, idna, unicode_escape) are none of a file's.
_LETTERS = re.compile(r"iso8859|cp\d|koi8|mac_|gb|big5|shift_jis|euc_")
# Windows-1252 and what is part of it. Files that say so are often UTF-8, which is how both are read.
_WESTERN = ("iso8859-1", "cp1252", "ascii")
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TOKEN = re.compile(
    r"<!\[CDATA\[|\]\]>|&(?:(?P<own>lt|gt|amp|quot|apos)|#(?:(?P<decimal>\d{1,7})|x(?P<hex>[0-9a-fA-F]{1,6}))|(?P<name>\w{1,40}));|&"
)
# A token cut in two by the end of a piece.
_UNFINISHED = re.compile(r"(?:&[#\w]{0,41}|<[!\[CDAT]{0,8}|\]{1,2})\Z")


def gpx_encoding(sample: bytes) -> Encoding:
    """The encoding of a GPX file: a byte order mark goes over the declaration, and so do the zeros of UTF-16."""
    found = encoding_of(sample)
    declared = _DECLARED.search(sample)
    if found.name != "utf-8-sig" or sample.startswith(codecs.BOM_UTF8) or not declared:
        return found
    try:
        name = codecs.lookup(declared[1].decode()).name
    except LookupError:
        return found
    if name in _WESTERN:
        return Encoding("utf-8-sig")
    return Encoding(name, is_declared=True) if _LETTERS.match(name) else found


def xml_pieces(texts: Iterator[str]) -> Iterator[bytes]:
    """The text as UTF-8 for a parser told so: no declaration, no forbidden character, no entity of HTML, no bare `&`."""
    mender = _Mender()
    rest = ""
    is_first = True
    for text in texts:
        text = rest + text
        if is_first and text.strip("\ufeff \t\r\n"):
            # Its line ends stay, so that an error names the right line.
            text = _DECLARATION.sub(lambda found: "\n" * found[0].count("\n"), text, count=1)
            is_first = False
        cut = _UNFINISHED.search(text)
        rest = text[cut.start() :] if cut else ""
        yield mender.mended(text[: cut.start()] if cut else text)
    yield mender.mended(rest)


class _Mender:
    def __init__(self) -> None:
        self._in_cdata = False

    def mended(self, text: str) -> bytes:
        plain = _FORBIDDEN.sub("", text)
        if self._in_cdata or "&" in plain or "<![CDATA[" in plain or "]]>" in plain:
            plain = _TOKEN.sub(self._replaced, plain)
        return plain.encode()

    def _replaced(self, found: re.Match[str]) -> str:
        text = found[0]
        if text == "]]>" and not self._in_cdata:
            return "]]&gt;"
        if text[0] in "<]":
            self._in_cdata = text[0] == "<"
        if self._in_cdata or text[0] in "<]" or found["own"]:
            return text
        if found["decimal"] or found["hex"]:
            code = int(found["decimal"]) if found["decimal"] else int(found["hex"], 16)
            return text if code <= 0x10FFFF and not _FORBIDDEN.match(chr(code)) else ""
        if code_of_name := name2codepoint.get(found["name"] or ""):
            return chr(code_of_name)
        return "&amp;" + text[1:]
