"""Repairs fields of the admin that find rows while one types: Django asks the database for whatever was sent, also for
texts that are no keys, and fails (`AutocompleteMixin.optgroups`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.widgets import AutocompleteMixin
from django.core.exceptions import ValidationError

_optgroups = AutocompleteMixin.optgroups


def optgroups(self: Any, name: str, value: Iterable[Any], attr: Any = None) -> Any:
    """Return the chosen options; what is no key of a row has none."""
    related = self.field.remote_field
    options = related.model._meta
    key = options.get_field(getattr(related, "field_name", options.pk.attname))
    return _optgroups(self, name, [one for one in value if _is_key(key, one)], attr)


def _is_key(key: Any, text: Any) -> bool:
    if text in ("", None):
        return True
    try:
        key.clean(text, None)
    except ValidationError:
        return False
    return True


AutocompleteMixin.optgroups = optgroups  # type: ignore[method-assign]
