"""Checking the arguments of a job against the signature and annotations of its task, before the job is made."""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from tasks_app.engine.errors import InvalidArguments
from tasks_app.engine.nesting import MAX_DEPTH, is_too_deep

# An escaped NUL in encoded JSON (an even number of backslashes before it belongs to the text itself).
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode
# Stands for an argument that is not known yet.
_LATER = object()


class ArgumentRule:
    """A demand of an annotation on a value, beside its type and bounds: `Annotated[str, rule]`. None is never checked."""

    def check(self, value: Any) -> None:
        """Raise ValueError with a sentence for a value that is not taken."""


class ArgumentChecker:
    """Checks calls of one function: arity, names, types (after JSON: an int where an int is asked), bounds and JSON itself."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.signature = inspect.signature(function)
        self._hints = typing.get_type_hints(function, include_extras=True)
        self.rules = {name: found for name, hint in self._hints.items() if (found := tuple(_rules_in(hint)))}
        self._names = tuple(self.signature.parameters)
        self._takes_plain_calls = all(map(_takes_one, self.signature.parameters.values()))

    def check(self, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
        """Return `[args, kwargs]` as JSON text. Raises InvalidArguments with the reason."""
        for name, value in self._named(args, kwargs):
            self._check_one(name, value)
        return encode_json([list(args), kwargs])

    def check_following(self, args: Sequence[Any], kwargs: dict[str, Any], leading: int) -> str:
        """Return `[args, kwargs]` of a call that gets so many further arguments in front, when they are known.

        Raises InvalidArguments.
        """
        for name, value in self._named([_LATER] * leading + list(args), kwargs):
            is_later = value is _LATER or (isinstance(value, tuple) and _LATER in value)
            if not is_later:
                self._check_one(name, value)
        return encode_json([list(args), kwargs])

    def check_names(self, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Check what no further argument in front can mend: too many, or unknown names. Raises InvalidArguments."""
        try:
            self.signature.bind_partial(*args, **kwargs)
        except TypeError as error:
            raise InvalidArguments(str(error)) from error

    def by_name(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call by the names of their parameters. Raises InvalidArguments."""
        return dict(self._named(args, kwargs))

    def with_defaults(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call by name, also those that were left to their defaults. Raises InvalidArguments."""
        named = dict(self._named(args, kwargs))
        if len(named) == len(self._names):
            return named
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def _named(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Iterable[tuple[str, Any]]:
        """Return each argument with its parameter's name. Raises InvalidArguments for too few, too many or unknown ones."""
        if not isinstance(args, list | tuple) or not isinstance(kwargs, Mapping):
            raise InvalidArguments("Arguments by position are a list or tuple, those by name a dict.")
        try:
            if not kwargs and len(args) == len(self._names) and self._takes_plain_calls:
                # Nearly every call is like this; `bind` takes longer than all the rest.
                return zip(self._names, args, strict=True)
            return self.signature.bind(*args, **kwargs).arguments.items()
        except TypeError as error:
            raise InvalidArguments(str(error)) from error

    def _check_one(self, name: str, value: Any) -> None:
        kind = self.signature.parameters[name].kind
        if kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD) or name not in self._hints:
            return
        try:
            msgspec.convert(value, self._hints[name], strict=True)
            if value is not None and name in self.rules:
                for rule in self.rules[name]:
                    rule.check(value)
        except (msgspec.ValidationError, ValueError) as error:
            raise InvalidArguments(f"{name}: {error}") from error


def _rules_in(hint: Any) -> Iterable[ArgumentRule]:
    """Return the rules of an annotation, also of one that is one of several (`RowId | None`)."""
    if typing.get_origin(hint) is typing.Annotated:
        yield from (extra for extra in hint.__metadata__ if isinstance(extra, ArgumentRule))
    elif typing.get_origin(hint) in (typing.Union, types.UnionType):
        for member in typing.get_args(hint):
            yield from _rules_in(member)


def _takes_one(parameter: inspect.Parameter) -> bool:
    """Return whether the parameter can be given by position and takes one value."""
    return parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD


def encode_json(value: Any, default: Callable[[Any], Any] | None = None) -> str:
    """Return `value` as JSON text; see `encode_json_bytes`."""
    return encode_json_bytes(value, default).decode()


def check_unique_key(key: Any) -> None:
    """Raise InvalidArguments for a unique key that is no text, "" for none, or a text that has no UTF-8."""
    try:
        key.encode()
    except (AttributeError, UnicodeEncodeError) as error:
        raise InvalidArguments(f"{key!r:.100} is no unique key: a text is meant.") from error


def checked_job_id(job_id: Any) -> UUID:
    """Return an id that a caller chose. Raises InvalidArguments for one that is no UUID."""
    if isinstance(job_id, UUID):
        return job_id
    try:
        return UUID(job_id)
    except (AttributeError, TypeError, ValueError) as error:
        raise InvalidArguments(f"{job_id!r:.100} is no job id: a UUID is meant.") from error


def encode_json_bytes(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """Return `value` as JSON that PostgreSQL's jsonb takes too; `default` turns other types into JSON types.

    Raises InvalidArguments for other types, NaN, infinities, NUL characters, lone surrogates and deep nesting.
    """
    encoded = _encode_plain(value) or _encode_strictly(value, default)
    if b"\\u0000" in encoded and _ESCAPED_NUL.search(encoded):
        raise InvalidArguments("Not storable: text with a NUL character.")
    if is_too_deep(encoded):
        raise InvalidArguments(f"Not storable: nested more than {MAX_DEPTH} levels deep.")
    return encoded


def _encode_plain(value: Any) -> bytes | None:
    """Encode a value that decodes to itself, ten times as fast as json; None for any other (NaN, dates, tuples)."""
    try:
        encoded = _encode(value)
        return encoded if _decode(encoded) == value else None
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def _encode_strictly(value: Any, default: Callable[[Any], Any] | None) -> bytes:
    encoder = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=default)
    try:
        return encoder.encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArguments(f"Not JSON: {error}") from error
