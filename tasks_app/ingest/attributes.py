"""Attributes: all a device says beside the quantities of a fix. Those that PostgreSQL cannot store are left out, one by one."""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

MAX_ATTRIBUTES = 50
MAX_ATTRIBUTES_BYTES = 4096
MAX_ATTRIBUTES_DEPTH = 8
# A text of this length fits by itself, whatever its letters.
MAX_CUT_CHARACTERS = 500
BATTERY = "batteryLevel"
# PostgreSQL stores neither in a text.
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
# How programs write a number that is none: Jackson (Traccar), JavaScript, printf.
NOT_NUMBERS = frozenset({"NaN", "Infinity", "-Infinity", "nan", "-nan", "inf", "-inf"})


def clean_attributes(value: object, unknown: list[str]) -> dict[str, Any]:
    """The attributes as a JSON object: at most 50 keys and 4 KiB, no NUL, no lone surrogate, no number that is none.

    What does not fit is left out (a character of a text is replaced), and `unknown` then gets "attributes"; so is a battery
    level that is no percentage, and it gets "battery".
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        unknown.append("attributes")
        return {}
    if is_clean(value):
        return value
    if not _is_level(value.get(BATTERY)):
        unknown.append("battery")
        value = {name: member for name, member in value.items() if name != BATTERY}
    kept = _kept(value)
    if kept != value:
        unknown.append("attributes")
    return kept


def is_clean(attributes: dict[Any, Any]) -> bool:
    """Whether nothing of these has to be looked at closer: few short texts and small numbers, no list and no object."""
    characters = 0
    for key, value in attributes.items():
        if not isinstance(key, str) or not _is_plain(key):
            return False
        characters += len(key)
        kind = type(value)
        if kind is float or kind is int:
            if not -1e15 < value < 1e15:
                return False
        elif kind is str:
            if not _is_plain(value) or value in NOT_NUMBERS:
                return False
            characters += len(value)
        elif kind is not bool and value is not None:
            return False
    # An escaped character takes six bytes, a number no more than 25, quotes and the rest eight.
    count = len(attributes)
    if count > MAX_ATTRIBUTES or 6 * characters + 33 * count + 2 > MAX_ATTRIBUTES_BYTES:
        return False
    return BATTERY not in attributes or _is_level(attributes[BATTERY])


def _is_plain(text: str) -> bool:
    # What can be printed is found so in a third of the time.
    return text.isprintable() or not UNSTORABLE.search(text)


def _is_level(level: object) -> bool:
    """Whether it is a percentage, or not sent."""
    return level is None or (isinstance(level, int | float) and not isinstance(level, bool) and 0 <= level <= 100)


def _kept(attributes: dict[Any, Any]) -> dict[str, Any]:
    """The members that can be stored; of too many the smallest, long texts cut: an alarm is short, what floods is not."""
    members = {
        name: UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value
        for name, value in attributes.items()
        if isinstance(name, str) and _is_storable(name) and (_is_text(value) or _is_storable(value))
    }
    if len(members) <= MAX_ATTRIBUTES and len(msgspec.json.encode(members)) <= MAX_ATTRIBUTES_BYTES:
        return members
    cut = {name: value[:MAX_CUT_CHARACTERS] if isinstance(value, str) else value for name, value in members.items()}
    sizes_bytes = {name: len(msgspec.json.encode({name: value})) for name, value in cut.items()}
    kept: dict[str, Any] = {}
    left_bytes = MAX_ATTRIBUTES_BYTES - 1
    for name in sorted(cut, key=sizes_bytes.__getitem__)[:MAX_ATTRIBUTES]:
        # One of the two brackets it was measured with stands for its comma.
        left_bytes -= sizes_bytes[name] - 1
        if left_bytes >= 0:
            kept[name] = cut[name]
    return kept


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value not in NOT_NUMBERS


def _is_storable(value: object, depth_left: int = MAX_ATTRIBUTES_DEPTH) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, str):
        return not UNSTORABLE.search(value) and value not in NOT_NUMBERS
    if isinstance(value, int | float):
        # An integer beyond 64 bits would not survive the way through JSON tools; infinity and NaN are not JSON.
        return -(2**63) <= value < 2**64 or (isinstance(value, float) and math.isfinite(value))
    if depth_left <= 1 or not isinstance(value, dict | list):
        return False
    if isinstance(value, dict) and not all(isinstance(name, str) and _is_storable(name) for name in value):
        return False
    members = value.values() if isinstance(value, dict) else value
    return all(_is_storable(member, depth_left - 1) for member in members)
