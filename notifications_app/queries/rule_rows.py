"""Visible rules."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from notifications_app.models import Rule
from tasks_app.queries.access import has_everywhere, to_view, visible_fleets

VIEW_RULES = to_view("notifications_app.rule")
# The relations of a rule that its description needs.
NAMED = ("command", "users", "devices", "geofences", "within_geofences", "escalation_steps__users")


def visible_rules(user: Any) -> QuerySet[Rule]:
    """The rules of the fleets `user` may see; rules of every fleet only for staff with the permission."""
    fleets = Q(fleet__in=visible_fleets(user, VIEW_RULES))
    shown = Rule.objects.all() if has_everywhere(user, VIEW_RULES) else Rule.objects.filter(fleets)
    return shown.select_related("fleet").prefetch_related(*NAMED)
