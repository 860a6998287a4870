"""Conversion of values to forms that both servers can keep: Redis as JSON, PostgreSQL as text and jsonb. Pure.

A task may raise, report, log and return anything: lone surrogates (file names), NUL, lazy texts, numpy's numbers, objects
whose str() raises, structures that contain themselves. No function here raises because of a value, unless it says so: only
the interrupt of a job that is out of time or cancelled passes.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Set
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from django.utils.functional import Promise

from tasks_app.engine.errors import JobInterrupted
from tasks_app.engine.nesting import MAX_DEPTH

MAX_TEXT_CHARS = 20_000
MAX_ITEMS = 20_000
_TOO_LARGE = 2**63
# Types that are kept as their text.
_TEXTLIKE = (Promise, Decimal, UUID, date, time, str)
_NAME_OF = type.__dict__["__name__"].__get__
_QUALIFIED_NAME_OF = type.__dict__["__qualname__"].__get__
_MODULE_OF = type.__dict__["__module__"].__get__
MAX_PATH_CHARS = 300


def storable_text(value: object, limit: int = MAX_TEXT_CHARS) -> str:
    """Return `value` as text of at most `limit` characters; those that cannot be stored are written as repr() does."""
    text = (value if type(value) is str else _str_of(value))[:limit]
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()[:limit]


def _str_of(value: object) -> str:
    try:
        # A subclass of str (a safe string) is no str to encoders.
        return str.__str__(str(value))
    except JobInterrupted:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a task's own class does
        return f"<{class_name(value)}: str() failed with {class_name(error)}>{_arguments_of(value)}"


def _arguments_of(value: object) -> str:
    """Return the arguments of an exception whose str() fails, the only trace of its cause."""
    try:
        arguments = BaseException.__getattribute__(value, "args")
        return f" {str.__str__(repr(arguments))}" if arguments else ""
    except JobInterrupted:
        raise
    except BaseException:  # noqa: BLE001
        return ""


def class_name(value: object) -> str:
    """Return the name of the value's class, whatever its metaclass does."""
    name: str = _NAME_OF(type(value))
    return name.encode("utf-8", "backslashreplace").decode()[:200]


def class_path(value: object) -> str:
    """Return the dotted path of the value's class, whatever its metaclass does."""
    kind = type(value)
    try:
        module = _MODULE_OF(kind)
    except AttributeError:
        module = ""
    path = f"{module}.{_QUALIFIED_NAME_OF(kind)}" if type(module) is str else _QUALIFIED_NAME_OF(kind)
    return storable_text(path, MAX_PATH_CHARS)


def storable_number(value: Any) -> int | float | None:
    """Return `value` as a finite number that fits into 64 bits, None if it is not one."""
    if type(value) is int and -_TOO_LARGE < value < _TOO_LARGE:
        return value
    try:
        return _number_of(value)
    except JobInterrupted:
        raise
    except BaseException:  # noqa: BLE001
        return None


def _number_of(value: Any) -> int | float | None:
    try:
        found: int | float = int(operator.index(value))
    except TypeError:
        found = float(value)
    if type(found) is int and -_TOO_LARGE < found < _TOO_LARGE:
        return found
    found = float(found)
    return found if math.isfinite(found) else None


def json_type_of(value: Any) -> Any:
    """Convert a value that is not JSON but has one obvious JSON form (dates, decimals, sets, lazy texts, numpy's numbers).

    Raises TypeError for any other.
    """
    if isinstance(value, _TEXTLIKE):
        return str(value)
    if isinstance(value, (Set, Mapping)):
        return dict(value) if isinstance(value, Mapping) else list(value)
    if hasattr(value, "dtype") and getattr(value, "shape", None) == ():
        return value.item()
    raise TypeError(f"Object of type {class_name(value)} is not JSON serializable")


def storable_value(value: Any) -> Any:
    """Return `value` as JSON types; other types become text, endless values are cut."""
    return _Conversion().of(value)


class _Conversion:
    """One walk through a value, with the number of items left and the containers around the current one."""

    def __init__(self) -> None:
        self._items_left = MAX_ITEMS
        self._inside: list[int] = []

    def of(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind is bool or kind is msgspec.Raw:
            return value
        if kind is int or kind is float:
            number = storable_number(value)
            return storable_text(value) if number is None or number != value else number
        if kind is str:
            return storable_text(value)
        try:
            return self._of_other(value)
        except JobInterrupted:
            raise
        except BaseException:  # noqa: BLE001
            return storable_text(value)

    def _of_other(self, value: Any) -> Any:
        if not isinstance(value, (list, tuple, Mapping, Set)):
            return self.of(json_type_of(value))
        if id(value) in self._inside:
            return "(contains itself)"
        if len(self._inside) >= MAX_DEPTH:
            return "(nested too deeply)"
        self._inside.append(id(value))
        try:
            if isinstance(value, Mapping):
                return {storable_text(key): self.of(item) for key, item in self._counted(value.items())}
            return [self.of(item) for item in self._counted(value)]
        finally:
            self._inside.pop()

    def _counted(self, items: Iterable[Any]) -> Iterable[Any]:
        for item in items:
            self._items_left -= 1
            if self._items_left < 0:
                return
            yield item
