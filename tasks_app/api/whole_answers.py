"""Rows in the OpenAPI schema: an answer has all their fields, also those that a body may leave out."""

from __future__ import annotations

from typing import Any

from tasks_app.api.component_names import SUFFIX
from tasks_app.api.partial_bodies import PREFIX


def require_all_fields(result: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Require each field of a row that is made or changed by a body of its own (a postprocessing hook of drf-spectacular).

    Typed clients would ask their users to handle the absence of fields that are always there.
    """
    schemas = result.get("components", {}).get("schemas", {})
    for name, component in schemas.items():
        if name + SUFFIX in schemas or PREFIX + name in schemas:
            fields = component.get("properties", {})
            component["required"] = sorted(field for field, one in fields.items() if not one.get("writeOnly"))
    return result
