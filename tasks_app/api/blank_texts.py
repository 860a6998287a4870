"""Texts in the OpenAPI schema that have a pattern or are empty."""

from __future__ import annotations

from typing import Any

EMPTY = {"type": "string", "maxLength": 0}
# Bounds that an empty text would break.
LOWER_BOUNDS = ("minLength", "pattern")


def join_blank(result: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Describe such a text as one string instead of one of two (a postprocessing hook of drf-spectacular).

    Clients that are made from the schema take both for the same type, and its pattern for that of either.
    """
    for component in result.get("components", {}).get("schemas", {}).values():
        for field in component.get("properties", {}).values():
            first, *others = field.get("oneOf", [None])
            if others == [EMPTY] and "pattern" in first:
                del field["oneOf"]
                field |= {key: value for key, value in first.items() if key not in LOWER_BOUNDS}
                field["pattern"] = f"^$|{first['pattern']}"
    return result
