"""Numbers among the values that callers give."""

from __future__ import annotations

from typing import Any, TypeGuard


def is_number(value: Any) -> TypeGuard[int | float]:
    """Return whether the value is a number; `True` and `False` are none, though Python counts with them."""
    return isinstance(value, int | float) and not isinstance(value, bool)
