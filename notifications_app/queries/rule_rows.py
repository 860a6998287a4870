"""Rules as people look at them."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from notifications_app.models import Rule
from tasks_app.queries.access import visible_fleets

# Everything a rule names, for its sentence.
NAMED = ("users", "devices", "geofences", "within_geofences", "escalation_steps__users")


def visible_rules(user: Any) -> QuerySet[Rule]:
    """The rules of the fleets `user` sees; those of every fleet are for staff to see."""
    fleets = Q(fleet__in=visible_fleets(user))
    is_staff = user.is_authenticated and user.is_active and user.is_staff
    shown = Rule.objects.filter(fleets | Q(fleet__isnull=True)) if is_staff else Rule.objects.filter(fleets)
    return shown.select_related("fleet").prefetch_related(*NAMED)
