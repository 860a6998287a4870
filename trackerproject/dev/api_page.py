"""The page of the REST API in the documentation, written from its OpenAPI schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from drf_spectacular.generators import SchemaGenerator

HEAD = """# Operations of the REST API

Written by `manage.py api_reference` from the schema; a test keeps it true. Log-in, errors, lists, `ETag` and `Idempotency-Key`
are the same everywhere: [the REST API](../api.md). Who may call what: [permissions](permissions.md).

Of a list its own filters and orders are named; each takes `limit` and `cursor` besides. Each operation but those without log-in
may answer 401, 403, 429 and 503. A question mark is behind what may be left out.
"""
TAGS = {
    "auth": "Log-in", "fleet": "Fleets, devices, geofences, events, maintenance", "commands": "Commands",
    "positions": "Positions",
    "jobs": "Jobs", "queues": "Queues and workers", "schedules": "Schedules", "cleanup": "Clean-up",
    "reports": "Reports", "notifications": "Rules and notifications", "ingest": "Ways in for devices",
    "audit": "Audit", "monitoring": "Monitoring",
}  # fmt: skip
OF_EVERY_LIST = {"limit", "cursor"}
JSON = "application/json"
OF_EVERY_OPERATION = {"401", "403", "429", "503"}


def api_page() -> str:
    """Return the page as Markdown."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return "\n".join([HEAD, *_parts(schema)])


def _parts(schema: dict[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append((path, method.upper(), operation))
    used: dict[str, None] = {}
    for tag in [*(one for one in TAGS if one in by_tag), *sorted(by_tag.keys() - TAGS.keys())]:
        yield f"## {TAGS.get(tag, tag.capitalize())}\n"
        for path, method, operation in by_tag[tag]:
            yield from _operation(path, method, operation, used)
    yield "## Bodies and answers\n"
    yield from _components(schema["components"]["schemas"], used)


def _operation(path: str, method: str, operation: dict[str, Any], used: dict[str, None]) -> Iterator[str]:
    deprecated = " (deprecated)" if operation.get("deprecated") else ""
    text = f"{_sentence(operation['summary'])}{deprecated} {operation.get('description', '')}".rstrip()
    yield f"### {method} {path}\n\n{text}\n"
    queries = [one for one in operation.get("parameters", ()) if one["in"] == "query"]
    if parameters := [one for one in queries if one["name"] not in OF_EVERY_LIST]:
        yield "| parameter | | |\n|---|---|---|"
        for one in parameters:
            mark = "" if one.get("required") else " ?"
            yield f"| `{one['name']}`{mark} | {_type(one['schema'], used)} | {_cell(_described(one))} |"
        yield ""
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        if media in (JSON, "multipart/form-data"):
            yield f"Body: {_type(content['schema'], used)}" + (f" ({media})" if media != JSON else "") + "\n"
    yield "Answers: " + ", ".join(_answers(operation["responses"], used)) + "\n"


def _answers(responses: dict[str, Any], used: dict[str, None]) -> Iterator[str]:
    for code, response in sorted(responses.items()):
        kinds: dict[str, list[str]] = {}
        for media, content in response.get("content", {}).items():
            kinds.setdefault(_type(content["schema"], used), []).append(media)
        if code in OF_EVERY_OPERATION:
            continue
        shown = (kind if media == [JSON] else f"{kind} ({', '.join(media)})" for kind, media in kinds.items())
        yield f"{code} {' or '.join(shown)}".strip() if code < "400" or "Error" not in str(kinds) else code


def _components(schemas: dict[str, Any], used: dict[str, None]) -> Iterator[str]:
    """Each of the schemas that operations use, and those that these use."""
    done: set[str] = set()
    while left := [name for name in used if name not in done]:
        name = left[0]
        done.add(name)
        schema = schemas[name]
        yield f"### {name}\n"
        if text := _described(schema):
            yield f"{text}\n"
        if "enum" in schema:
            yield "One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".\n"
        elif "properties" in schema:
            needed = set(schema.get("required", ()))
            yield "| field | | |\n|---|---|---|"
            for field, one in schema["properties"].items():
                mark = "" if field in needed else " ?"
                yield f"| `{field}`{mark} | {_type(one, used)} | {_cell(_described(one))} |"
            yield ""
        else:
            yield f"{_type(schema, used)}\n"


def _described(schema: dict[str, Any]) -> str:
    """The description without the list of choices that it ends with, which the values name already."""
    return str(schema.get("description", "")).split("\n\n* ")[0].split("* `")[0].strip()


def _type(schema: dict[str, Any], used: dict[str, None]) -> str:
    nullable = " or null" if schema.get("nullable") else ""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        used.setdefault(name)
        return f"[{name}](#{name.lower()})" + nullable
    for several in ("allOf", "oneOf", "anyOf"):
        if several in schema:
            kinds = [
                _type(one, used) for one in schema[several] if one.get("enum") != [""] or len(schema[several]) == 1
            ]
            return " or ".join(dict.fromkeys(kinds)) + nullable
    if "enum" in schema:
        return " ".join(f"`{value}`" for value in schema["enum"] if value not in ("", None)) + nullable
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'], used)}" + nullable
    kind = schema.get("format") or schema.get("type") or "JSON"
    kind = {"int64": "integer", "double": "number", "binary": "file", "object": "object"}.get(kind, kind)
    bounds = _bounds(schema)
    example = (
        f", such as `{json.dumps(schema['example'], ensure_ascii=False)}`"
        if kind == "JSON" and "example" in schema
        else ""
    )
    default = (
        f", {json.dumps(schema['default'])} unless said" if schema.get("default") not in (None, "", [], {}) else ""
    )
    return f"{kind}{bounds}{default}{example}{nullable}"


def _bounds(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    low, high = (None if value is None or abs(value) >= 2**31 - 1 else value for value in (low, high))
    if schema.get("maxLength"):
        return f" of at most {schema['maxLength']}"
    if low is not None and high is not None:
        return f" {low} to {high}"
    return f" from {low}" if low is not None else f" to {high}" if high is not None else ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")
