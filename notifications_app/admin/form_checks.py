"""Checks of the input of an admin form so far, for its script, which shows the sentences while the form is filled in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

# Codes of errors that only say that something is still to be filled in.
MISSING = {"required", "missing"}

Errors = dict[str, list[str]]


def checked_input(bound: Iterable[forms.BaseForm | forms.BaseFormSet[Any]]) -> tuple[Errors, Errors]:
    """Return the sentences about wrong input and those about missing input, by names of inputs; "" for whole forms."""
    wrong: Errors = {}
    missing: Errors = {}
    for one in bound:
        for form in one.forms if isinstance(one, forms.BaseFormSet) else [one]:
            for name, errors in form.errors.as_data().items():
                key = form.add_prefix(name) if name in form.fields else ""
                for error in errors:
                    _add(missing if error.code in MISSING else wrong, key, error)
        if isinstance(one, forms.BaseFormSet):
            for error in one.non_form_errors().as_data():
                _add(wrong, "", error)
    return wrong, missing


def _add(errors: Errors, key: str, error: ValidationError) -> None:
    errors.setdefault(key, []).extend(map(str, error.messages))
