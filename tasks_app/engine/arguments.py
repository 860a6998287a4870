"""Arguments are checked against the task's signature and annotations when a job is made, not when it runs."""

from __future__ import annotations

import inspect
import json
import re
import typing
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tasks_app.engine.errors import InvalidArguments

# An escaped NUL in encoded JSON (an even number of backslashes before it belongs to the text itself).
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class ArgumentChecker:
    """Checks calls of one function: arity, names, types (after JSON: an int where an int is asked) and JSON itself."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.signature = inspect.signature(function)
        self._hints = typing.get_type_hints(function)

    def check(self, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
        """Return `[args, kwargs]` as JSON text. Raises InvalidArguments with the reason."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidArguments(str(error)) from error
        for name, value in bound.arguments.items():
            self._check_one(name, value)
        return encode_json([list(args), kwargs])

    def _check_one(self, name: str, value: Any) -> None:
        kind = self.signature.parameters[name].kind
        if kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD) or name not in self._hints:
            return
        try:
            msgspec.convert(value, self._hints[name], strict=True)
        except msgspec.ValidationError as error:
            raise InvalidArguments(f"{name}: {error}") from error


def encode_json(value: Any) -> str:
    """Return `value` as JSON text that PostgreSQL's jsonb takes too.

    Raises InvalidArguments for other types, NaN, infinities, NUL characters, lone surrogates and endless nesting.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArguments(f"Not JSON: {error}") from error
    if "\\u0000" in text and _ESCAPED_NUL.search(text):
        raise InvalidArguments("Not storable: text with a NUL character.")
    return text
