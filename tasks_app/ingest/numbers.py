"""Numbers as text, with a decimal point or a decimal comma, grouped or not."""

from __future__ import annotations

import re

_GROUPED_BY_COMMA = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_GROUPED_BY_POINT = re.compile(r"[-+]?\d{1,3}(?:\.\d{3})+(?:,\d+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?")
_OTHER_GROUPING = re.compile(r"(?<=\d)[\s'\u2019](?=\d{3})")


def number_or_text(text: str, *, decimal_comma: bool = False) -> float | str | None:
    """A number where the text is one (Python's 1_000 is not), None for an empty one, else the text for the rules to judge.

    With `decimal_comma` a point groups thousands: 1.234 is more than a thousand, and 1.2345 still a number of its own.
    """
    if not text:
        return None
    if decimal_comma and "." in text and _GROUPED_BY_POINT.fullmatch(text):
        text = text.replace(".", "").replace(",", ".")
    try:
        return text if "_" in text else float(text)
    except ValueError:
        return _unusual(text, decimal_comma)


def _unusual(text: str, decimal_comma: bool) -> float | str:
    plain = _OTHER_GROUPING.sub("", text.replace("\u2212", "-"))
    if decimal_comma and _GROUPED_BY_POINT.fullmatch(plain):
        plain = plain.replace(".", "")
    if not decimal_comma and _GROUPED_BY_COMMA.fullmatch(plain):
        plain = plain.replace(",", "")
    elif decimal_comma and _DECIMAL_COMMA.fullmatch(plain):
        plain = plain.replace(",", ".")
    try:
        return float(plain) if "_" not in plain else text
    except ValueError:
        return text
