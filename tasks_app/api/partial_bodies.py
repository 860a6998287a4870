"""Bodies of PATCH in the OpenAPI schema: what a request leaves out stays as it is, so that their fields have no defaults."""

from __future__ import annotations

from typing import Any

PREFIX = "Patched"


def without_defaults(result: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Remove the defaults that fields have where the row is made (a postprocessing hook of drf-spectacular).

    Clients that are made from the schema send them in each request, and would change what nobody named.
    """
    for name, component in result.get("components", {}).get("schemas", {}).items():
        if name.startswith(PREFIX):
            for field in component.get("properties", {}).values():
                field.pop("default", None)
    return result
