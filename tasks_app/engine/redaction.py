"""What the job history shows of arguments: no secrets, and of a success not every one of 5 000 positions."""

from __future__ import annotations

import re
from typing import Any

_SECRET = re.compile(
    r"pass(word|wd)?$|secret|token|authorization|api_?key|cookie|credential|private_?key", re.IGNORECASE
)
HIDDEN = "[hidden]"
OMITTED = "omitted_items"
MAX_LIST_ITEMS = 20
KEPT_LIST_ITEMS = 3


def redact(value: Any) -> Any:
    """Return `value` with the values of secret-looking keys replaced, at any depth."""
    if isinstance(value, dict):
        return {key: HIDDEN if _SECRET.search(key) else redact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [redact(item) for item in value]
    return value


def shorten(value: Any) -> Any:
    """Return `value` with the tail of long lists replaced by {"omitted_items": n}, at any depth."""
    if isinstance(value, dict):
        return {key: shorten(item) for key, item in value.items()}
    if isinstance(value, list):
        if len(value) > MAX_LIST_ITEMS:
            return [*(shorten(item) for item in value[:KEPT_LIST_ITEMS]), {OMITTED: len(value) - KEPT_LIST_ITEMS}]
        return [shorten(item) for item in value]
    return value


def is_complete(value: Any) -> bool:
    """Whether nothing was hidden or left out of `value`, so that a job can be made from it again."""
    if isinstance(value, dict):
        return OMITTED not in value and all(is_complete(item) for item in value.values())
    if isinstance(value, list):
        return all(is_complete(item) for item in value)
    return value != HIDDEN
