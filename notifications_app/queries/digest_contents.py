"""The contents of a digest after an outage: the merged deliveries that its recipient may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, QuerySet
from django.db.models.functions import Coalesce

from notifications_app.models import Delivery
from tasks_app.queries.access import visible_devices


@dataclass(frozen=True, slots=True)
class MergedCount:
    """A count by vehicle and kind: the kind of the events or, where these are gone, of the notifications."""

    vehicle: str
    kind: str
    count: int
    last_at: datetime


def merged_into(digest: Delivery) -> QuerySet[Delivery]:
    """The deliveries that `digest` stands for, oldest first. Rights may have been lost since."""
    seen = visible_devices(digest.notification.user).order_by().values("pk")
    merged = Delivery.objects.filter(merged_into=digest.pk, notification__device__in=seen)
    return merged.select_related("notification__device", "notification__event").order_by("pk")


def merged_counts(digest: Delivery) -> list[MergedCount]:
    """Counts by vehicle and kind. One query."""
    rows = (
        merged_into(digest)
        .order_by()
        .values_list("notification__device", "notification__device__name")
        .annotate(kind=Coalesce("notification__event__kind", "notification__kind"), count=Count("pk"))
        .annotate(last_at=Max(Coalesce("notification__event__occurred_at", "notification__created_at")))
    )
    return [MergedCount(vehicle, kind, count, last_at) for _device, vehicle, kind, count, last_at in rows]
