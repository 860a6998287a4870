"""Files that are none of positions: named by their first bytes, for the message that refuses them."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from tasks_app.ingest.errors import BodyError

# Formats no parser here could take for its own; https://en.wikipedia.org/wiki/List_of_file_signatures.
_BINARY = (
    (b"PK\x03\x04", gettext_noop("a ZIP archive, such as a KMZ or XLSX file")),
    (b"PK\x05\x06", gettext_noop("an empty ZIP archive")),
    (b"7z\xbc\xaf\x27\x1c", gettext_noop("a 7z archive")),
    (b"Rar!\x1a\x07", gettext_noop("a RAR archive")),
    (b"BZh", gettext_noop("a bzip2 archive")),
    (b"\xfd7zXZ\x00", gettext_noop("an XZ archive")),
    (b"\x89PNG\r\n\x1a\n", gettext_noop("an image")),
    (b"\xff\xd8\xff", gettext_noop("an image")),
    (b"GIF8", gettext_noop("an image")),
    (b"%PDF-", gettext_noop("a PDF document")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", gettext_noop("an old Office document, such as an XLS file")),
    (b"SQLite format 3\x00", gettext_noop("an SQLite database")),
)
_TEXT: tuple[tuple[bytes | tuple[bytes, ...], str], ...] = (
    (b"<!doctype html", gettext_noop("an HTML page")),
    (b"<html", gettext_noop("an HTML page")),
    (b"<kml", gettext_noop("a KML file")),
    (b"<gpx", gettext_noop("a GPX file")),
    (b"<trainingcenterdatabase", gettext_noop("a TCX file")),
    (b"<", gettext_noop("an XML document")),
    (b"{", gettext_noop("a JSON document")),
    (b"[", gettext_noop("a JSON document")),
    ((b"$g", b"$pmtk", b"$pgrm", b"$psrf", b"!ai"), gettext_noop("an NMEA 0183 log")),
)


def check_no_other_kind(head: bytes) -> None:
    """Raise BodyError for a file whose first bytes are those of a binary format."""
    kind = next((kind for start, kind in _BINARY if head.startswith(start)), None)
    if head[8:12] == b".FIT":
        kind = gettext_noop("a FIT file")
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        kind = gettext_noop("an image")
    if kind:
        raise BodyError("unreadable_file", _("The file is %(kind)s, and holds no positions.") % {"kind": _(kind)})


def text_kind(head: bytes) -> str:
    """Return a sentence naming the kind of text the first bytes are; empty where they are of no known kind."""
    text = head.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if not text:
        return _("The file is empty.")
    if text.startswith(b"<?xml"):
        text = text.partition(b"?>")[2].lstrip()
    kind = next((kind for start, kind in _TEXT if text.startswith(start)), None)
    return _("The file is %(kind)s.") % {"kind": _(kind)} if kind else ""
