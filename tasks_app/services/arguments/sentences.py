"""Reasons for refused arguments in the language of the reader: the checks of types know English only."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.utils.translation import gettext as _

_PLACE = re.compile(r" - at `\$(?P<place>.*)`$")
_ITEM = re.compile(r"\[(\d+)\]")


def _kinds() -> dict[str, str]:
    return {
        "int": _("a whole number"),
        "float": _("a number"),
        "str": _("a text"),
        "bool": _("yes or no"),
        "array": _("a list"),
        "object": _("an object"),
        "null": _("nothing"),
    }


def _type(found: re.Match[str]) -> str:
    kinds = _kinds()
    named = [kinds.get(kind.strip(), kind.strip()) for kind in found["kinds"].split("|")]
    return _("This must be %(kind)s.") % {"kind": _(" or ").join(named)}


def _bound(found: re.Match[str]) -> str:
    texts = {
        ">=": _("This must be at least %(number)s."),
        "<=": _("This must be at most %(number)s."),
        ">": _("This must be more than %(number)s."),
        "<": _("This must be less than %(number)s."),
    }
    return texts[found["sign"]] % {"number": found["number"]}


def _length(found: re.Match[str]) -> str:
    if found["kind"] == "array":
        most, least = _("At most %(number)s can be given."), _("At least %(number)s must be given.")
    else:
        most, least = _("At most %(number)s characters."), _("At least %(number)s characters.")
    return (most if found["sign"] == "<=" else least) % {"number": found["number"]}


def _missing(found: re.Match[str]) -> str:
    return _("“%(name)s” is missing.") % {"name": found["name"]}


def _unknown(found: re.Match[str]) -> str:
    return _("The task has no argument “%(name)s”.") % {"name": found["name"]}


def _too_many(_found: re.Match[str]) -> str:
    return _("These are more arguments than the task has.")


def _value(_found: re.Match[str]) -> str:
    return _("This is none of the values to choose from.")


# The words of msgspec and of inspect.Signature.bind.
_SENTENCES: list[tuple[str, Callable[[re.Match[str]], str]]] = [
    (r"Expected `(?P<kind>str|array)` of length (?P<sign><=|>=) (?P<number>\d+)", _length),
    (r"Expected `(?:int|float)` (?P<sign>>=|<=|>|<) (?P<number>\S+)", _bound),
    (r"Expected `(?P<kinds>[a-z |]+)`, got `.*`", _type),
    (r"Invalid enum value .*", _value),
    (r"missing a required (?:keyword-only )?argument: '(?P<name>\w+)'", _missing),
    (r"got an unexpected keyword argument '(?P<name>.*)'", _unknown),
    (r"too many positional arguments", _too_many),
]


def reason_text(reason: str) -> str:
    """Return why an argument was refused as a sentence, with the number of the item of a list; the reason itself where it is
    already a sentence of ours."""
    place = _PLACE.search(reason)
    bare = reason[: place.start()] if place else reason
    for pattern, sentence in _SENTENCES:
        if found := re.fullmatch(pattern, bare, re.DOTALL):
            item = _ITEM.fullmatch(place["place"]) if place else None
            text = sentence(found)
            return _("Item %(number)d: %(text)s") % {"number": int(item[1]) + 1, "text": text} if item else text
    return reason
