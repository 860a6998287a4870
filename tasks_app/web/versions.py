"""Forms that notice when a row was changed by another person while it was edited."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils.translation import gettext as _

from tasks_app.services.rows import RowGone, hold_row

VERSION = "version"
HASH_CHARS = 12


class VersionField(forms.CharField):
    """The version of a row in a form: no field that a person changes."""

    widget = forms.HiddenInput

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


class UnchangedMeanwhile(forms.ModelForm):
    """A form of a row: posts the version it was made from, and refuses to overwrite what was entered since, once.

    What was typed stays in the form, which then has the new version. Without a version, as programs post, nothing is refused.
    """

    version = VersionField(label="", required=False)
    # Columns of the row that fields of other names stand for.
    versioned_besides: tuple[str, ...] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Asked for when the form is shown.
        self.fields[VERSION].initial = self._version

    def clean(self) -> dict[str, Any] | None:
        values = super().clean()
        seen = self.cleaned_data.get(VERSION)
        if self.instance._state.adding or not seen:
            return values
        self._hold_row()
        version = self._version()
        if changed := [name for name in changed_names(seen, version) if self._differs(name)]:
            self._show(version)
            raise changed_meanwhile(map(self._label, changed))
        return values

    def _hold_row(self) -> None:
        """Lock the row until the end of the transaction that saves, so that of two at once one sees the other's; none does
        where a form is only tried out."""
        try:
            with transaction.atomic():
                hold_row(self.instance)
        except RowGone as error:
            raise ValidationError(_("It was deleted by another person after you opened it.")) from error

    def _version(self) -> str:
        return "" if self.instance._state.adding else version_of(values_of(self.instance, self._versioned()))

    def _versioned(self) -> list[str]:
        """The columns and relations of the row that a person can change in this form."""
        meta = self._meta.model._meta
        names = {field.name for field in (*meta.concrete_fields, *meta.many_to_many)}
        own = [name for name, field in self.fields.items() if name in names and not field.disabled]
        return [*own, *self.versioned_besides] if own else []

    def _differs(self, name: str) -> bool:
        """Return whether the input is not what is stored: a form may be sent twice, or two people may enter the same."""
        bound = self[name]
        return bound.field.has_changed(forms.model_to_dict(self.instance, [name])[name], bound.data)

    def _label(self, name: str) -> str:
        field = self.fields.get(name)
        return str((field and field.label) or self._meta.model._meta.get_field(name).verbose_name)

    def _show(self, version: str) -> None:
        """Have the form that is shown again post this version."""
        data: Any = self.data
        shown = data.copy()
        shown[self.add_prefix(VERSION)] = version
        self.data = shown


def values_of(row: models.Model, names: Iterable[str]) -> dict[str, Any]:
    """Return the values of these columns and relations of a row."""
    return {name: _value_of(row, name) for name in names}


def version_of(values: Mapping[str, Any]) -> str:
    """Return the version of these values: `name:hash` of each, with spaces between."""
    return " ".join(f"{name}:{_hash(value)}" for name, value in values.items())


def changed_names(seen: str, version: str) -> list[str]:
    """Return the names in `version` of which `seen` has another hash, or none."""
    hashes = dict(part.partition(":")[::2] for part in seen.split())
    current = dict(part.partition(":")[::2] for part in version.split())
    return [name for name, value in current.items() if hashes.get(name) != value]


def changed_meanwhile(labels: Iterable[str]) -> ValidationError:
    """Return the error of a form whose version is not that of the row any more: these fields are others."""
    text = _(
        "It was changed by another person after you opened it: %(fields)s. Your input is still here and was not saved. "
        "Save again to replace what they entered, or open it in another tab to see that."
    )
    return ValidationError(text % {"fields": ", ".join(labels)})


def _value_of(row: models.Model, name: str) -> Any:
    field = row._meta.get_field(name)
    if isinstance(field, models.ManyToManyField):
        return sorted(str(key) for key in getattr(row, name).values_list("pk", flat=True))
    return field.value_from_object(row)  # type: ignore[union-attr]


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARS]
