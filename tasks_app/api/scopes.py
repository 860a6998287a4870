"""Which scope of an API token each operation asks for: one rule for all of them, which `ApiView` applies."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS

from tasks_app.models import Scope
from tasks_app.queries.sessions import scopes_of


def needed_scopes(view: Any, method: str) -> frozenset[str]:
    """The scopes of which one is needed for this method of a view (class or instance); none: every token may."""
    scopes: Collection[Scope] = view.scopes_to_read if method in SAFE_METHODS else view.scopes_to_change
    return frozenset(scopes)


def check_scope(token: Any, needed: frozenset[str]) -> None:
    """Raise PermissionDenied (403, `insufficient_scope`) for a token that has none of the needed scopes."""
    if needed and not needed & scopes_of(token):
        text = _("This token may not do that; it takes one of the scope %(scopes)s.")
        raise PermissionDenied(text % {"scopes": ", ".join(sorted(needed))}, "insufficient_scope")
