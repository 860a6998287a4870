"""Making, changing and deleting the rows people keep: fleets, devices, geofences."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.db.models.deletion import ProtectedError, RestrictedError
from django.http import Http404
from django.utils.translation import gettext as _

M = TypeVar("M", bound=Model)


class RowInUse(Exception):
    """Something else needs the row; it cannot be deleted before that is gone."""


class RowGone(Http404):
    """Someone deleted the row after it was read."""


def hold_row(row: Model) -> None:
    """Lock a stored row until the transaction ends, and read it again: what others changed since is not undone by saving it.

    Rows that refer to it can be made meanwhile. Raises RowGone.
    """
    try:
        row.refresh_from_db(from_queryset=type(row)._base_manager.select_for_update(no_key=True))
    except ObjectDoesNotExist as error:
        raise RowGone(RowGone.__doc__) from error


def save_row(row: M, values: Mapping[str, Any]) -> M:
    """Give the row these values and store it, when every rule of its model holds.

    Raises Django's ValidationError, and RowGone for a stored row that is there no more.
    """
    with transaction.atomic():
        if not row._state.adding:
            hold_row(row)
        for name, value in values.items():
            setattr(row, name, value)
        store_row(row)
    return row


def store_row(row: Model, *, unchecked: Collection[str] = ()) -> None:
    """Save a row whose columns but the unchecked ones keep the rules of its model. Raises Django's ValidationError."""
    row.full_clean(exclude=unchecked)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        # Someone stored the same name or id between the check and now.
        raise ValidationError(_("Another change came in between; look again.")) from error


def delete_row(row: Model) -> None:
    """Delete the row with what belongs to it. Raises RowInUse, RowGone."""
    try:
        with transaction.atomic():
            hold_row(row)
            row.delete()
    except (ProtectedError, RestrictedError) as error:
        raise RowInUse(str(row)) from error
