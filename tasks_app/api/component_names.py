"""Names of the OpenAPI schema's components: `Request` is added only where there is an answer of the same name."""

from __future__ import annotations

from typing import Any

SUFFIX = "Request"
_PREFIX = "#/components/schemas/"


def shorten(result: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Drop the suffix of bodies that are no answers (a postprocessing hook of drf-spectacular)."""
    schemas = result.get("components", {}).get("schemas", {})
    names = {name: name.removesuffix(SUFFIX) for name in schemas if name.removesuffix(SUFFIX) not in schemas}
    if names:
        result["components"]["schemas"] = dict(sorted((names.get(name, name), one) for name, one in schemas.items()))
        _rename(result, {_PREFIX + name: _PREFIX + short for name, short in names.items()})
    return result


def _rename(node: Any, names: dict[str, str]) -> None:
    if isinstance(node, list):
        for one in node:
            _rename(one, names)
    elif isinstance(node, dict):
        if node.get("$ref") in names:
            node["$ref"] = names[node["$ref"]]
        for one in node.values():
            _rename(one, names)
