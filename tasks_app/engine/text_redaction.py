"""Secrets inside texts: what a task's exceptions and log lines say of them is not kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

from tasks_app.engine.nesting import MAX_DEPTH
from tasks_app.engine.redaction import HIDDEN, is_secret

# Shorter values are found in every other word.
MIN_VALUE_CHARS = 4
_MAX_VALUES = 50
# Without one of these a text need not be searched.
_HINT = re.compile(
    r"pass|pwd|secret|token|auth|bearer|session|sig|key|cookie|credential|phone|msisdn|imei|imsi|iccid|otp|jwt|cv[vc]|eyJ|pin|://",
    re.IGNORECASE,
)
_NAME = re.compile(r"""(?<![\w.-])([A-Za-z_][\w.-]{0,60})(["']?\s{0,3}(?:=>|[=:])\s{0,3})""")
_VALUE = re.compile(
    r"""(?:bearer|basic|digest|token)\s+[^\s,;'"]+|b?"[^"\n]{0,500}"|b?'[^'\n]{0,500}'|\+?\d[\d ()./-]{5,30}\d"""
    r"""|[^\s=,;&'"<>()\[\]{}][^\s,;&'"<>)\]}]*""",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"(?<=://)([^/\s:@]{0,200}):[^/\s@]{1,200}@")
_BARE = re.compile(r"\b(bearer|basic)\s+(?=\S*\d)[\w.~+/=-]{8,}|\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*", re.IGNORECASE)
# In plain sentences ("session: closed") these are followed by words as often as by values.
_USUAL_IN_SENTENCES = re.compile(
    r"(auth|oauth|authentication|bearer|session|phone|telephone|signature|pass)s?", re.IGNORECASE
)
# A line of source code in a traceback is no value; groups of exceptions draw a line before it.
_SOURCE_LINE = re.compile(r"[ |]* {4}\S")


def redact_text(text: str) -> str:
    """Return `text` with values that are given after a secret-looking name (key=value, JSON, headers, URLs) replaced."""
    if not _HINT.search(text):
        return text
    text = _IN_ADDRESS.sub(rf"\1:{HIDDEN}@", text)
    return _BARE.sub(lambda found: f"{found[1]} {HIDDEN}" if found[1] else HIDDEN, "".join(_without_named(text)))


def _without_named(text: str) -> Iterator[str]:
    """The text in pieces. What follows an innocent name is looked at again: it may be a name itself."""
    done = 0
    for named in _NAME.finditer(text):
        value = _VALUE.match(text, named.end()) if named.end() > done and is_secret(named[1]) else None
        if value and not (":" in named[2] and _is_sentence(named[1], named[2], value[0])):
            yield text[done : named.end()] + HIDDEN
            done = value.end()
    yield text[done:]


def _is_sentence(name: str, mark: str, value: str) -> bool:
    if mark.startswith(("'", '"')) or not _USUAL_IN_SENTENCES.fullmatch(name):
        return False
    return value.isalpha()


def redact_traceback(text: str) -> str:
    """Do the same for a traceback, whose lines of source code stay."""
    if not _HINT.search(text):
        return text
    lines = text.splitlines(keepends=True)
    return "".join(line if _SOURCE_LINE.match(line) else redact_text(line) for line in lines)


def secret_values(names: Sequence[str], args: list[Any], kwargs: dict[str, Any]) -> list[str]:
    """The values of a call that are not shown: what the task says of them must not show them either."""
    named = [*zip_longest(names[: len(args)], args, fillvalue=""), *kwargs.items()]
    found = {value for name, item in named for value in _values_of(item, is_secret(name), MAX_DEPTH)}
    return sorted(found, key=len, reverse=True)[:_MAX_VALUES]


def _values_of(item: Any, is_hidden: bool, levels: int) -> Iterator[str]:
    if isinstance(item, (dict, list)) and levels:
        named = item.items() if isinstance(item, dict) else (("", one) for one in item)
        for name, one in named:
            yield from _values_of(one, is_hidden or is_secret(name), levels - 1)
    elif is_hidden and type(item) in (str, int, float) and len(text := str(item)) >= MIN_VALUE_CHARS:
        yield text


def hide_values(text: str, values: Iterable[str]) -> str:
    """Return `text` without these values."""
    for value in values:
        text = text.replace(value, HIDDEN)
    return text
