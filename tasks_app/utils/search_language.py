"""The language of searches: words, "phrases", `name:value`, `name:"two words"`, each with a `-` before it to exclude."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from django.utils.translation import gettext as _

MAX_LENGTH = 500
MAX_TERMS = 20
# A name, which may be followed by the name of a part: `args.device_id`.
_NAME = re.compile(r"([A-Za-z_]+)(?:\.([A-Za-z_][A-Za-z0-9_]*))?:")
_OPENING, _CLOSING = '"“', '"”'


class InvalidSearch(ValueError):
    """The search is not understood; the message is a sentence for the user who wrote it."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term. `name` is empty for words and phrases, `part` unless the name has one."""

    value: str
    name: str = ""
    part: str = ""
    is_negated: bool = False


def parse_search(text: str, names: Collection[str]) -> list[Term]:
    """Return the terms of a search. `names` are the known ones; one that ends in a dot needs a part.

    Raises InvalidSearch.
    """
    _check_text(text)
    terms: list[Term] = []
    at = _after_spaces(text, 0)
    while at < len(text):
        term, at = _read_term(text, at, names)
        terms.append(term)
        at = _after_spaces(text, at)
    if len(terms) > MAX_TERMS:
        raise InvalidSearch(_("A search has at most %(most)d terms.") % {"most": MAX_TERMS})
    return terms


def quoted(value: str) -> str:
    """Return the value as it is written in a search."""
    cleaned = value.translate(dict.fromkeys(map(ord, _OPENING + _CLOSING)))
    return cleaned if cleaned and not re.search(r"\s", cleaned) else f'"{cleaned}"'


def written(term: Term) -> str:
    """Return the term as it is written in a search."""
    name = f"{term.name}.{term.part}:" if term.part else f"{term.name}:" if term.name else ""
    # In quotes where it would else end early, or be read as another term. A value that holds a closing quote stood in none.
    needs_quotes = re.search(r"\s", term.value) or (not name and re.match(r"-|[^:]*:", term.value))
    is_bare = not needs_quotes or set(term.value) & set(_CLOSING)
    text = term.value if is_bare else f'"{term.value}"'
    return f"{'-' if term.is_negated else ''}{name}{text}"


def _check_text(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise InvalidSearch(_("A search has at most %(most)d characters.") % {"most": MAX_LENGTH})
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidSearch(_("The search has characters that are none.")) from error
    if "\x00" in text:
        raise InvalidSearch(_("The search has characters that are none."))


def _after_spaces(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _read_term(text: str, at: int, names: Collection[str]) -> tuple[Term, int]:
    is_negated = text[at] == "-" and at + 1 < len(text) and not text[at + 1].isspace()
    at += is_negated
    found = _NAME.match(text, at)
    if found is None:
        value, at = _read_value(text, at)
        if not value:
            raise InvalidSearch(_("The quotes hold nothing to search for."))
        return Term(value, is_negated=is_negated), at
    name, part = found[1].lower(), found[2] or ""
    _check_name(found[0][:-1], f"{name}." if part else name, names)
    value, at = _read_value(text, found.end())
    if not value:
        raise InvalidSearch(_("Write what to look for behind %(name)s") % {"name": found[0]})
    return Term(value, name, part, is_negated), at


def _check_name(written: str, name: str, names: Collection[str]) -> None:
    if name in names:
        return
    known = ", ".join(f"{name}<name>:" if name.endswith(".") else f"{name}:" for name in names)
    sentence = _(
        'There is no "%(name)s:" to search by. There are: %(known)s. Put quotes around a text that has a colon.'
    )
    raise InvalidSearch(sentence % {"name": written, "known": known})


def _read_value(text: str, at: int) -> tuple[str, int]:
    """Return the word or phrase that begins here, and its end."""
    if at < len(text) and text[at] in _OPENING:
        end = next((place for place in range(at + 1, len(text)) if text[place] in _CLOSING), None)
        if end is None:
            raise InvalidSearch(_("A quote is opened and not closed."))
        return text[at + 1 : end].strip(), end + 1
    end = at
    while end < len(text) and not text[end].isspace():
        end += 1
    return text[at:end], end
