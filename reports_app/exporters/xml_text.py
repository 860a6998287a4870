"""Text inside XML 1.0: what it cannot hold is left out."""

from __future__ import annotations

import re

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


def xml_text(text: str) -> bytes:
    """`text` as the content of an element or of a quoted attribute."""
    return _FORBIDDEN.sub("", text).translate(_ESCAPES).encode()
