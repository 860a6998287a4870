"""When maintenance is due: the pure decision. The interval that is used up first decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tasks_app.models import DeviceState, MaintenancePlan, MaintenanceStatus

_RANK = {MaintenanceStatus.OK: 0, MaintenanceStatus.DUE_SOON: 1, MaintenanceStatus.DUE: 2}


@dataclass(frozen=True, slots=True)
class MaintenanceDue:
    """`share` is how much is used up of the interval of which most is, 1 when due.

    `remaining` per interval of the plan, under kilometers, engine_hours, days; negative when overdue.
    """

    status: MaintenanceStatus
    share: float
    remaining: dict[str, float]


def maintenance_due(plan: MaintenancePlan, state: DeviceState, *, now: datetime) -> MaintenanceDue:
    """The state of a plan for a vehicle that has run so far; `state` may be an unsaved one."""
    used = {
        "kilometers": (state.odometer_meters - plan.last_done_odometer_meters) / 1000,
        "engine_hours": (state.engine_seconds - plan.last_done_engine_seconds) / 3600,
        "days": (now - plan.last_done_at).total_seconds() / 86400,
    }
    every = {"kilometers": plan.every_kilometers, "engine_hours": plan.every_engine_hours, "days": plan.every_days}
    intervals = {unit: interval for unit, interval in every.items() if interval}
    share = max((used[unit] / interval for unit, interval in intervals.items()), default=0.0)
    remaining = {unit: round(interval - used[unit], 1) for unit, interval in intervals.items()}
    return MaintenanceDue(_status(share, plan.due_soon_percent), share, remaining)


def is_worse(status: str, before: str) -> bool:
    """True when people need to hear of the change: further intervals being used up, not one being lengthened."""
    return _RANK[MaintenanceStatus(status)] > _RANK[MaintenanceStatus(before)]


def _status(share: float, due_soon_percent: int) -> MaintenanceStatus:
    if share >= 1.0:
        return MaintenanceStatus.DUE
    return MaintenanceStatus.DUE_SOON if share >= due_soon_percent / 100 else MaintenanceStatus.OK
