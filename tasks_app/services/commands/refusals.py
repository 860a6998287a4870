"""Refusals of requests about commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CommandRefused(Exception):
    """A request that is not carried out: `code` for machines, a sentence for people, `errors` by field.

    Codes: invalid, not_permitted, not_offered, not_encodable (no way to the device can express these values), unsafe, conflict
    (the idempotency key came with another request), too_many, too_late (the command was sent or has ended), own (nobody
    confirms their own).
    """

    def __init__(self, code: str, sentence: Any, errors: Mapping[str, Any] | None = None) -> None:
        super().__init__(str(sentence))
        self.code = code
        self.sentence = str(sentence)
        self.errors = {name: str(error) for name, error in (errors or {}).items()}
