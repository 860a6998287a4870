"""Values as the audit keeps them: JSON of bounded size, without secrets. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db.models.fields.files import FieldFile

from tasks_app.engine.redaction import HIDDEN, is_secret, redact
from tasks_app.engine.storable import storable_text, storable_value

# Names that are_secret does not know: hashes and ciphers that stand for the secret.
SECRET_FIELDS = frozenset({"password", "ingest_key_hash", "digest", "encrypted_secrets"})
MAX_VALUE_CHARS = 1000
MAX_CHANGES_CHARS = 16_000
LEFT_OUT = "[left out: too large]"

Values = Mapping[str, Any]


def kept_value(name: str, value: Any) -> Any:
    """Return the value of a field as it is kept: hidden where its name is a secret's, cut where it is long."""
    # First of all: one without a file equals "", and is no text.
    if isinstance(value, FieldFile):
        value = value.name or ""
    if value in (None, "") or isinstance(value, bool):
        return value
    if name in SECRET_FIELDS or is_secret(name):
        return HIDDEN
    if hasattr(value, "resolve_expression"):
        return "[computed by the database]"
    if isinstance(value, bytes | memoryview):
        return f"[{len(value)} bytes]"
    return _bounded(redact(storable_value(value)))


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MAX_VALUE_CHARS else f"{value[:MAX_VALUE_CHARS]}… [{len(value)} characters]"
    if not isinstance(value, dict | list):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return value if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}… [{len(text)} characters]"


def changed_values(before: Values, after: Values) -> dict[str, list[Any]]:
    """Return {field: [before, after]} of the fields whose values differ; one that is missing counts as None."""
    names = [*before, *(name for name in after if name not in before)]
    return {
        name: [kept_value(name, before.get(name)), kept_value(name, after.get(name))]
        for name in names
        if before.get(name) != after.get(name)
    }


def bounded_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes with the largest ones replaced by a remark, until all of them fit."""
    sizes = {name: len(json.dumps(value, ensure_ascii=False)) + len(name) for name, value in changes.items()}
    kept, total = dict(changes), sum(sizes.values())
    for name in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if total <= MAX_CHANGES_CHARS:
            break
        kept[name] = LEFT_OUT
        total -= sizes[name] - len(LEFT_OUT)
    return kept


def kept_given(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a verb was given (the arguments of a task, the filters of a bulk action), as it is kept."""
    return {storable_text(name, 100): kept_value(str(name), value) for name, value in given.items()}
