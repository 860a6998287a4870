"""The audit, read: for the API and the admin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet

from tasks_app.models import AuditEntry
from tasks_app.queries.access import Right

VIEW_AUDIT = Right(None, "tasks_app.view_auditentry")
# What a search looks into.
SEARCHED = ("username", "object_text", "object_id", "address", "reason", "origin")
# Name of a filter -> lookup.
_FILTERS = {
    "user": "user_id",
    "username": "username",
    "verb": "verb",
    "way": "way",
    "address": "address",
    "object_type": "object_type",
    "object_id": "object_id",
    "from": "created_at__gte",
    "to": "created_at__lt",
}


def audit_entries(filters: Mapping[str, Any]) -> QuerySet[AuditEntry]:
    """Return the entries that match: `search` in any of the texts, every other filter exactly."""
    wanted = {lookup: filters[name] for name, lookup in _FILTERS.items() if filters.get(name) not in (None, "")}
    return AuditEntry.objects.filter(_containing(str(filters.get("search") or "")), **wanted)


def _containing(text: str) -> Q:
    condition = Q()
    for word in text.split():
        anywhere = Q()
        for name in SEARCHED:
            anywhere |= Q(**{f"{name}__icontains": word})
        condition &= anywhere
    return condition
