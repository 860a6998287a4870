"""Whole numbers for people."""

from __future__ import annotations

from collections.abc import Iterable


def numbers_text(numbers: Iterable[int]) -> str:
    """Return numbers as ranges: 0–3, 7."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][-1] + 1:
            found[-1] = [found[-1][0], number]
        else:
            found.append([number])
    return ", ".join("–".join(map(str, some)) for some in found)
