"""Errors whose sentences can be put into another language by those who show them; this package knows English only."""

from __future__ import annotations

from typing import Any


class Refusal(ValueError):
    """A value that cannot be used. `sentence` says why, in English, with a %(name)s for each of `values`."""

    def __init__(self, sentence: str, **values: Any) -> None:
        super().__init__(sentence % values if values else sentence)
        self.sentence, self.values = sentence, values


def N_(sentence: str) -> str:
    """Mark a sentence that is given to a Refusal elsewhere as one to translate; return it unchanged."""
    return sentence
