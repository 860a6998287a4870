"""Removing secrets from texts: exceptions, tracebacks, log lines, progress and arguments of tasks.

Every pattern reads a text once: repetitions are possessive, and no match begins inside of text that was read already.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any
from urllib.parse import quote, quote_plus

from tasks_app.engine.nesting import MAX_DEPTH
from tasks_app.engine.redaction.secret_names import HIDDEN, is_secret, words_of
from tasks_app.engine.storable import storable_text

# Shorter values are found in every other word.
MIN_VALUE_CHARS = 4
_MAX_VALUES = 1000
_MAX_NAME_CHARS = 200
_MIN_DIGITS = 6
_MIN_JWT_CHARS = 12
# Without one of these a text need not be searched.
_HINT = re.compile(
    r"pass|pwd|pw\b|secret|token|auth|bearer|session|sig|key|cookie|credential|phone|mobile|msisdn|imei|imsi|iccid|otp|jwt"
    r"|cv[vc]|eyJ|pin|code|basic|senha|telefone|://",
    re.IGNORECASE,
)
# A word that may be a name, with the word before it where only both are one: "API key".
_NAME = re.compile(r"(?<![\w.-])((?:[\w.-]++ (?=(?:key|number|code|id|value|header)s?\b))?[\w.-]++)", re.IGNORECASE)
_MARK = re.compile(r"""(\\*+["']?+\]?+)\s*+(?:=>|:=|[=:]|%3[ad])\s*+""", re.IGNORECASE)
_COPULA = re.compile(
    r"""["']?+(?:\s(?:for|of|from)(?:\s[\w.@-]{1,64}){1,2}?)?\s++(is|was|equals|to|é)\s++""", re.IGNORECASE
)
_SPACE = re.compile(r"[ \t]++")
_QUOTED = re.compile(
    r"""b?\\++"(?:[^"\n]++"?)?+|b?\\++'(?:[^'\n]++'?)?+|b?"(?:[^"\\\n]++|\\.)*+"?|b?'(?:[^'\\\n]++|\\.)*+'?"""
)
# Glued punctuation belongs to a value unless a further name=value begins with it.
_PLAIN = re.compile(
    r"""[^\s=,;&'"<>()\[\]{}](?:[^\s,;&'"<>()\[\]{}]++|[,;&'"<>()\[\]{}](?=[\w$!#%*+/])(?![\w.-]{1,40}["']?[=:]))*+"""
)
_NUMBER = re.compile(r"\+?(?:\(\d{1,5}\) ?)?\d(?:[ ()./-]{0,3}\d){5,30}(?![\w])")
_SCHEME = re.compile(r"""[A-Za-z][\w-]*+[ \t]++(?:(?:[\w-]++=(?:"[^"\n]*+"?|[^\s,"']++)(?:,[ \t]*+)?)++|[^\s,;'"]++)""")
_KNOWN_SCHEME = re.compile(r"(?:bearer|basic|digest|token|negotiate|ntlm|apikey|hmac)\s", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(?<=://)([^/\s:@?#]*+):(?:[^/\s@]*+@)++")
_BARE = re.compile(r"\b((?i:bearer|basic))\s++([\w.~+/=-]{8,}+)")
_RANDOM = re.compile(r"\d|[a-z][A-Z]|=")
_RUN = re.compile(r"(?<![\w.-])[\w.-]{12,}+")
# In plain sentences ("session: closed") these are followed by words as often as by values.
_USUAL_IN_SENTENCES = re.compile(
    r"(auth|oauth|authentication|bearer|session|phone|telephone|telefone|signature|pass|cookie)s?", re.IGNORECASE
)
# After "password is" and "token:" these describe the secret.
_ORDINARY = frozenset(
    words_of(
        """a about absent accepted active again all allowed already also an and any are as available bad be been being blank
        blocked broken by can cannot changed closed common compromised correct created deleted denied different disabled do
        does down due either empty enabled ended equal error expected expired expires expiring failed false for forbidden
        found fresh from given gone good has have hidden if ignored illegal in inactive incomplete incorrect insecure invalid
        is it its known lacking left locked long longer lost malformed may mismatch missing must needed never new no none not
        now null of ok old on one only open optional or outdated over present protected public read ready refused rejected
        removed required reset revoked right safe same secret secure set short should shown similar still stored strong str
        string the there this to too true undefined unchanged unknown unsafe unset unsupported until up used using valid
        verified was weak were will with without working wrong yes yet your"""
    )
)
_ORDINARY_WORD = re.compile(r"[a-z]{2,30}(?:ed|ing|able|ible|ly)", re.IGNORECASE)
_SMALL = re.compile(
    r"\d{1,5}|\d++(?:ms|s|sec|min|h|d|th|st|nd|rd|[kM]B|%)|\d{4}-\d\d-\d\d(?:T[\d:.Z+-]*+)?|\d\d?:\d\d[\d:.]*+"
)
# A line of source code in a traceback is no value; groups of exceptions draw a line before it.
_FILE_LINE = re.compile(r"""[ |]*+File "[^"\n]*+", line \d""")
_SOURCE_LINE = re.compile(r"(?: *+\|)*+ {4,}+\S")


def redact_text(text: str) -> str:
    """Return `text` with values replaced that follow a secret-looking name, in whatever way people and programs write that.

    key=value, JSON, headers, options of commands, addresses and plain sentences ("the token is abc").
    """
    if not _HINT.search(text):
        return text
    if "://" in text:
        text = _IN_ADDRESS.sub(rf"\1:{HIDDEN}@", text)
    text = "".join(_without_named(text))
    text = _BARE.sub(_without_scheme, text)
    return _RUN.sub(_without_jwt, text) if "eyJ" in text else text


def _without_scheme(found: re.Match[str]) -> str:
    """Replace the text after `Bearer` or `Basic`, unless it is a word."""
    return f"{found[1]} {HIDDEN}" if _RANDOM.search(found[2]) else found[0]


def _without_jwt(found: re.Match[str]) -> str:
    """Replace the JSON web token that begins somewhere in a run of letters, digits and dots."""
    run = found[0]
    at = run.find("eyJ")
    is_token = at >= 0 and len(run) - at >= _MIN_JWT_CHARS and "." in run[at:-1]
    return run[:at] + HIDDEN if is_token else run


def _without_named(text: str) -> Iterator[str]:
    """Yield the text in pieces. Text that follows an innocent name is searched again, for it may be a name itself."""
    done = 0
    for named in _NAME.finditer(text):
        # The full stop of a sentence is no part of a name.
        name = named[1].rstrip(".-")
        if named.start() < done or not _is_secret_at(text, named.start(), name):
            continue
        span = _value_after(text, name, named.start() + len(name))
        if span is not None:
            yield text[done : span[0]] + HIDDEN
            done = span[1]
    yield text[done:]


def _is_secret_at(text: str, at: int, name: str) -> bool:
    """Return whether the name is that of a secret; in the query of an address `key` is, too."""
    if name.lower() == "key":
        return text[max(at - 1, 0) : at] in ("?", "&")
    return is_secret(name[-_MAX_NAME_CHARS:])


def _value_after(text: str, name: str, at: int) -> tuple[int, int] | None:
    """Return where the value of a secret name begins and ends; None if words follow that describe the secret."""
    if mark := _MARK.match(text, at):
        return _marked(text, name, mark)
    if copula := _COPULA.match(text, at):
        is_weak = copula[1].lower() == "to" or bool(_USUAL_IN_SENTENCES.fullmatch(name))
        return _said(text, copula.end(), needs_digit=is_weak)
    if space := _SPACE.match(text, at):
        return _said(text, space.end(), needs_digit=not name.startswith("-"))
    return None


def _marked(text: str, name: str, mark: re.Match[str]) -> tuple[int, int] | None:
    at = mark.end()
    found = _KNOWN_SCHEME.match(text, at) or "authorization" in name.lower()
    value = (found and _SCHEME.match(text, at)) or _QUOTED.match(text, at) or _NUMBER.match(text, at)
    value = value or _PLAIN.match(text, at)
    if value is None:
        return None
    if ":" in mark[0] and not mark[1]:
        word = value[0].split(maxsplit=1)[0].rstrip(".,;!")
        if word.lower() in _ORDINARY or (word.isalpha() and _USUAL_IN_SENTENCES.fullmatch(name)):
            return None
    return value.span()


def _said(text: str, at: int, *, needs_digit: bool) -> tuple[int, int] | None:
    """Return the same for a name that is parted from its value by words and spaces only."""
    if value := _QUOTED.match(text, at):
        return value.span()
    if value := _NUMBER.match(text, at):
        digits = sum(one.isdigit() for one in value[0])
        return value.span() if digits >= _MIN_DIGITS and not _SMALL.fullmatch(value[0]) else None
    if (scheme := _KNOWN_SCHEME.match(text, at)) and (value := _SCHEME.match(text, at)):
        word = value[0][scheme.end() - at :]
        return value.span() if any(one.isdigit() for one in word) else None
    value = _PLAIN.match(text, at)
    if value is None or value[0].startswith("-"):
        return None
    word = value[0].rstrip(".,;:!?")
    if needs_digit:
        is_value = len(word) >= MIN_VALUE_CHARS and _has_digit_and_more(word)
    else:
        is_value = word.lower() not in _ORDINARY and not _ORDINARY_WORD.fullmatch(word)
    return (value.start(), value.start() + len(word)) if is_value and word else None


def _has_digit_and_more(word: str) -> bool:
    return any(one.isdigit() for one in word) and not _SMALL.fullmatch(word)


def redact_traceback(text: str) -> str:
    """Redact a traceback except its lines of source code."""
    if not _HINT.search(text):
        return text
    return "".join(_without_secrets(text.splitlines(keepends=True)))


def _without_secrets(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines. Only those below the name of a file are source code: a message may have lines of the same look."""
    is_source = False
    for line in lines:
        is_source = bool(_FILE_LINE.match(line) or (is_source and _SOURCE_LINE.match(line)))
        yield line if is_source else redact_text(line)


def secret_values(names: Sequence[str], args: list[Any], kwargs: dict[str, Any]) -> list[str]:
    """Return the hidden values of a call, which are hidden in the texts of the task, too."""
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
        for spelling in _spellings(value):
            text = text.replace(spelling, HIDDEN)
    return text


def _spellings(value: str) -> Iterable[str]:
    """Return the value and what repr(), JSON and addresses make of it, the longest first."""
    if value.isascii() and value.isalnum():
        return (value,)
    in_json = json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]
    in_address = quote(value), quote(value, safe=""), quote_plus(value)
    found = {value, storable_text(value), repr(value)[1:-1], ascii(value)[1:-1], *in_json, *in_address}
    return sorted(found, key=len, reverse=True)
