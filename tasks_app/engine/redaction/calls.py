"""Arguments as the job history shows them: without secrets, and after a success without the tails of long lists."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from tasks_app.engine.nesting import MAX_DEPTH
from tasks_app.engine.redaction.secret_names import HIDDEN, is_secret
from tasks_app.engine.redaction.texts import redact_text

TOO_DEEP = "(nested too deeply)"
OMITTED = "omitted_items"
MAX_LIST_ITEMS = 20
KEPT_LIST_ITEMS = 3


def redact(value: Any) -> Any:
    """Return `value` with the values of secret-looking keys replaced, at any depth, and secrets inside of its texts."""
    return _redact(value, MAX_DEPTH)


def _redact(value: Any, levels: int) -> Any:
    if isinstance(value, (dict, list)) and not levels:
        return TOO_DEEP
    if isinstance(value, dict):
        return {key: _redact_item(key, item, levels) for key, item in value.items()}
    if isinstance(value, list):
        return [_redact(item, levels - 1) for item in value]
    return redact_text(value) if isinstance(value, str) else value


def _redact_item(key: Any, item: Any, levels: int) -> Any:
    """Redact one value. A boolean and None are never secret, whatever their name."""
    if item is None or isinstance(item, bool) or not is_secret(str(key)):
        return _redact(item, levels - 1)
    return HIDDEN


def redact_call(names: Sequence[str], args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Redact the arguments of a call. `names` are those of the task's parameters: a secret may be given by place, too."""
    shown = [
        redact(value) if isinstance(value, (dict, list)) else _redact_item(name, value, 1)
        for name, value in zip_longest(names[: len(args)], args, fillvalue="")
    ]
    return shown, redact(kwargs)


def shorten(value: Any) -> Any:
    """Return `value` with the tail of long lists replaced by {"omitted_items": n}, at any depth."""
    return _shorten(value, MAX_DEPTH)


def _shorten(value: Any, levels: int) -> Any:
    if not levels:
        return value
    if isinstance(value, dict):
        return {key: _shorten(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list):
        if len(value) > MAX_LIST_ITEMS:
            kept = [_shorten(item, levels - 1) for item in value[:KEPT_LIST_ITEMS]]
            return [*kept, {OMITTED: len(value) - KEPT_LIST_ITEMS}]
        return [_shorten(item, levels - 1) for item in value]
    return value


def is_complete(value: Any) -> bool:
    """Return whether nothing is hidden in or left out of `value`, so that a job can be made from it again."""
    if isinstance(value, dict):
        return OMITTED not in value and all(is_complete(item) for item in value.values())
    if isinstance(value, list):
        return all(is_complete(item) for item in value)
    return value != TOO_DEEP and not (isinstance(value, str) and HIDDEN in value)
