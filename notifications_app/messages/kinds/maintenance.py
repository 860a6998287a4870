"""A maintenance plan is due, or due soon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from notifications_app.matching.event_traits import EventTraits
from notifications_app.messages.kinds.base import SAMPLE_SPOT, SAMPLE_VEHICLE, EventMessage
from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot, about, number, state_of
from notifications_app.models.kinds import MessageKind
from tasks_app.models import Device, DeviceState, Event, EventKind, MaintenancePlan, MaintenanceStatus
from tasks_app.services.devices import maintenance_due

MAINTENANCE = MessageKind(
    "maintenance",
    _("Maintenance"),
    sample={
        **SAMPLE_VEHICLE,
        "spot": Spot(SAMPLE_SPOT.at),
        "plan": gettext_noop("Oil change"),
        "is_due": True,
        "left": {"kilometers": -150.0, "engine_hours": 20.0, "days": 3.0},
    },
)


def maintenance_message(
    device: Device, *, plan_name: str, is_due: bool, at: datetime, left: Mapping[str, float | None]
) -> Message:
    """`left`: the rest of the plan's intervals, under kilometers, engine_hours, days; negative when overdue."""
    context = {**about(device, Spot(at)), "plan": plan_name, "is_due": is_due, "left": left}
    return Message(MAINTENANCE.kind, context)


def plan_reminder(plan: MaintenancePlan, *, device: Device, now: datetime) -> Message:
    """The reminder of one plan at `now`."""
    state = state_of(device) or DeviceState()
    found = maintenance_due(plan, state, now=now)
    is_due = found.status == MaintenanceStatus.DUE
    return maintenance_message(device, plan_name=plan.name, is_due=is_due, at=now, left=found.remaining)


def _build(event: Event, device: Device, geofence_name: str) -> Message:
    remaining = event.data.get("remaining")
    units = remaining if isinstance(remaining, dict) else {}
    return maintenance_message(
        device,
        plan_name=str(event.data.get("plan", "")),
        is_due=event.kind == EventKind.MAINTENANCE_DUE,
        at=event.occurred_at,
        left={unit: number(units, unit) for unit in ("kilometers", "engine_hours", "days")},
    )


KINDS = (MAINTENANCE,)
EVENTS = (
    EventMessage(EventKind.MAINTENANCE_DUE_SOON, _build, _("is due for maintenance soon"), EventTraits(ages=False)),
    EventMessage(EventKind.MAINTENANCE_DUE, _build, _("is due for maintenance"), EventTraits(ages=False)),
)
