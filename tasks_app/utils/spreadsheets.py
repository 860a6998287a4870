"""Texts in files that a spreadsheet opens: none of them may run (OWASP, "CSV Injection"), none spoil the file."""

from __future__ import annotations

import re

# The wide signs are those of spreadsheets in Japanese.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_QUOTE = "'"
MAX_TEXT_UNITS = 32_767  # of a cell, by Excel, in the units of UTF-16
# What a spreadsheet may take for the end of a cell, in another country than the file was made for.
_INSIDE = re.compile(f"([;\t\r\n])(?={_QUOTE}*[{re.escape(''.join(FORMULA_STARTS))}])")
_GUARDED_INSIDE = re.compile(f"([;\t\r\n]){_QUOTE}(?={_QUOTE}*[{re.escape(''.join(FORMULA_STARTS))}])")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def guarded(text: str) -> str:
    """`text` as a spreadsheet shows it, never run as a formula, wherever it ends a cell; `unguarded` gives it back."""
    inside = _INSIDE.sub(rf"\1{_QUOTE}", text)
    return _QUOTE + inside if inside.startswith(FORMULA_STARTS) or _is_guarded(inside) else inside


def unguarded(text: str) -> str:
    """Return the text that `guarded` was given."""
    return _GUARDED_INSIDE.sub(r"\1", text[1:] if _is_guarded(text) else text)


def _is_guarded(text: str) -> bool:
    return text.startswith(_QUOTE) and text.lstrip(_QUOTE).startswith(FORMULA_STARTS)


def legible(text: str) -> str:
    """`text` with U+FFFD for every character XML 1.0 cannot hold: control characters, lone surrogates."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def cut_to_units(text: str, most: int = MAX_TEXT_UNITS) -> str:
    """As much of a text as has at most so many units of UTF-16, where an emoji has two."""
    if len(text) * 2 <= most:
        return text
    # Half of a pair at the end is what is ignored.
    return text.encode("utf-16-le", "replace")[: 2 * most].decode("utf-16-le", "ignore")
