"""Creating, changing and deleting rows through the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as InvalidRow
from django.db.models import Model
from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.response import Response

from tasks_app.api.errors import Conflict
from tasks_app.services.rows import RowInUse, delete_row, save_row

M = TypeVar("M", bound=Model)


def saved(row: M, values: Mapping[str, Any]) -> M:
    """The row with these values, stored. Raises ValidationError that names each field as the API does."""
    with saving():
        return save_row(row, values)


@contextmanager
def saving() -> Iterator[None]:
    """Raise the ValidationError of a model as one that names each field as the API does."""
    try:
        yield
    except InvalidRow as error:
        problems: dict[str, Any] = error.message_dict if hasattr(error, "error_dict") else {}
        problems = {_api_name(name): texts for name, texts in problems.items()}
        raise serializers.ValidationError(problems or {"non_field_errors": error.messages}) from error


def deleted(row: Model) -> Response:
    """The 204 of a row that is gone. Raises Conflict when something needs it."""
    with deleting():
        delete_row(row)
    return Response(status=status.HTTP_204_NO_CONTENT)


@contextmanager
def deleting() -> Iterator[None]:
    """Raise Conflict when something needs the row."""
    try:
        yield
    except RowInUse as error:
        raise Conflict(
            "in_use", _("Something else belongs to it; delete or move that first."), state="in_use"
        ) from error


def _api_name(name: str) -> str:
    return {NON_FIELD_ERRORS: "non_field_errors", "fleet": "fleet_id"}.get(name, name)
