"""The audit, read: for the API and the admin."""

from __future__ import annotations

from django.db.models import Q

from tasks_app.queries.access import Right

VIEW_AUDIT = Right(None, "tasks_app.view_auditentry")
# What a search looks into.
SEARCHED = ("username", "object_text", "object_id", "address", "reason", "origin")


def containing(text: str) -> Q:
    """Return the condition of entries that have each of the words in any of their texts."""
    condition = Q()
    for word in text.split():
        anywhere = Q()
        for name in SEARCHED:
            anywhere |= Q(**{f"{name}__icontains": word})
        condition &= anywhere
    return condition
