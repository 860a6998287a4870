"""Maintenance plans by how they stand now: what `maintenance_due` says of one, of many in the database."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Case, DateTimeField, DurationField, ExpressionWrapper, F, FloatField, QuerySet, Value, When
from django.db.models.functions import Coalesce, Extract, Greatest, NullIf

from tasks_app.models import MaintenancePlan, MaintenanceStatus


def with_status_now(plans: QuerySet[MaintenancePlan], *, now: datetime) -> QuerySet[MaintenancePlan]:
    """Return the plans with `status_now`, by which they can be filtered and ordered.

    Their `status` is that of the last check, of which people were notified.
    """
    zero = Value(0.0)
    kilometers = (Coalesce("device__state__odometer_meters", zero) - F("last_done_odometer_meters")) / Value(1000.0)
    hours = (Coalesce("device__state__engine_seconds", zero) - F("last_done_engine_seconds")) / Value(3600.0)
    since = ExpressionWrapper(
        Value(now, output_field=DateTimeField()) - F("last_done_at"), output_field=DurationField()
    )
    days = Extract(since, "epoch", output_field=FloatField()) / Value(86_400.0)
    used = {"every_kilometers": kilometers, "every_engine_hours": hours, "every_days": days}
    # Of an interval that is not set the share is NULL, which Greatest leaves aside.
    shares = [
        ExpressionWrapper(value / NullIf(F(interval), zero), output_field=FloatField())
        for interval, value in used.items()
    ]
    return plans.alias(share=Greatest(*shares, zero)).annotate(
        status_now=Case(
            When(share__gte=1.0, then=Value(MaintenanceStatus.DUE.value)),
            When(share__gte=F("due_soon_percent") / Value(100.0), then=Value(MaintenanceStatus.DUE_SOON.value)),
            default=Value(MaintenanceStatus.OK.value),
        )
    )
