"""The arguments of a Schedule row, which django-q2 keeps as text: read and written here, and nowhere evaluated."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from django.utils.translation import gettext as _

MAX_CHARACTERS = 65_536
# What the parsers of Python and JSON raise on text that is wrong, or nested to annoy.
_UNREADABLE = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)


class InvalidSchedule(ValueError):
    """This schedule cannot run: its task, its arguments or its recurrence are wrong."""


def parse_args(text: str | None) -> list[Any]:
    """Read positional arguments: values separated by commas, in JSON or Python notation, or one Python tuple.

    A list is one argument, as in django-q2. Raises InvalidSchedule.
    """
    text = _checked(text)
    if not text:
        return []
    try:
        return _json(f"[{text}]")
    except _UNREADABLE:
        pass
    try:
        value = ast.literal_eval(text)
    except _UNREADABLE as error:
        raise InvalidSchedule(_("The arguments are neither JSON nor Python literals.")) from error
    return list(value) if isinstance(value, tuple) else [value]


def parse_kwargs(text: str | None) -> dict[str, Any]:
    """Read keyword arguments: a JSON object, a Python dict, or `name=value, ...`. Raises InvalidSchedule."""
    text = _checked(text)
    if not text:
        return {}
    readers: list[Callable[[str], Any]] = [_json, ast.literal_eval, _keywords]
    for read in readers:
        try:
            value = read(text)
        except _UNREADABLE:
            continue
        if isinstance(value, dict) and all(isinstance(name, str) for name in value):
            return value
        break
    raise InvalidSchedule(_("The keyword arguments are neither an object nor of the form name=value, ..."))


def format_args(args: Sequence[Any]) -> str:
    """Write positional JSON values as `parse_args` and django-q2 both read them."""
    return repr(tuple(args)) if args else ""


def format_kwargs(kwargs: dict[str, Any]) -> str:
    """Write keyword arguments as `parse_kwargs` and django-q2 both read them."""
    return repr(kwargs) if kwargs else ""


def _checked(text: str | None) -> str:
    text = (text or "").strip()
    if len(text) > MAX_CHARACTERS:
        raise InvalidSchedule(_("The arguments are longer than %(count)d characters.") % {"count": MAX_CHARACTERS})
    return text


def _json(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _keywords(text: str) -> dict[str | None, Any]:
    call = ast.parse(f"f({text}\n)", mode="eval").body
    if not isinstance(call, ast.Call) or call.args or not isinstance(call.func, ast.Name):
        raise ValueError(text)
    values = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    if len(values) < len(call.keywords):
        raise ValueError(text)
    return values
