"""Cleaning of foreign text (names, messages) for storage and headers."""

from __future__ import annotations

import re

MAX_SUBJECT_LENGTH = 200
MAX_BODY_LENGTH = 50_000

# C0 and C1 controls (line ends among them), Unicode line and paragraph separators, bidirectional overrides.
_NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_NOT_IN_A_BODY = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def one_line(text: str, max_length: int = MAX_SUBJECT_LENGTH) -> str:
    """`text` as one line without control characters: no header can be added through it."""
    line = " ".join(_NOT_IN_A_LINE.sub(" ", _storable(text)).split())
    return _shortened(line, max_length)


def body(text: str, max_length: int = MAX_BODY_LENGTH) -> str:
    """`text` with line ends as \\n, no other control characters, and no more than `max_length` characters."""
    unified = _storable(text).replace("\r\n", "\n").replace("\r", "\n")
    return _shortened(_NOT_IN_A_BODY.sub("", unified).strip(), max_length)


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _shortened(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else text[: max_length - 1].rstrip() + "…"
