"""Making, changing and deleting the rows people keep: fleets, devices, geofences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.db.models.deletion import ProtectedError, RestrictedError
from django.utils.translation import gettext as _

M = TypeVar("M", bound=Model)


class RowInUse(Exception):
    """Something else needs the row; it cannot be deleted before that is gone."""


def save_row(row: M, values: Mapping[str, Any]) -> M:
    """Give the row these values and store it, when every rule of its model holds. Raises Django's ValidationError."""
    for name, value in values.items():
        setattr(row, name, value)
    row.full_clean()
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        # Someone stored the same name or id between the check and now.
        raise ValidationError(_("Another change came in between; look again.")) from error
    return row


def delete_row(row: Model) -> None:
    """Delete the row with what belongs to it. Raises RowInUse."""
    try:
        row.delete()
    except (ProtectedError, RestrictedError) as error:
        raise RowInUse(str(row)) from error
