"""Repairs fields of the admin that find rows while one types: Django asks the database for whatever was sent, also for
texts that are no keys (`AutocompleteMixin.optgroups`) and for what no text holds (`AutocompleteJsonView`), and fails."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.admin.widgets import AutocompleteMixin
from django.core.exceptions import ValidationError

_optgroups, _rows_found = AutocompleteMixin.optgroups, AutocompleteJsonView.get_queryset


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


def rows_found(self: Any) -> Any:
    """Return the rows that hold what was typed; PostgreSQL takes no text with a NUL, so that none holds one."""
    return self.model_admin.get_queryset(self.request).none() if "\0" in self.term else _rows_found(self)


AutocompleteJsonView.get_queryset = rows_found  # type: ignore[method-assign]
AutocompleteMixin.optgroups = optgroups  # type: ignore[method-assign]
