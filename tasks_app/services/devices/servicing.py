"""Maintenance plans: checked against odometer, engine hours and calendar, with one event per status, marked as done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from tasks_app.models import (
    Device,
    DeviceState,
    Event,
    EventKind,
    MaintenancePlan,
    MaintenanceRecord,
    MaintenanceStatus,
)
from tasks_app.services.devices.servicing_due import MaintenanceDue, is_worse, maintenance_due
from tasks_app.services.events import record_events
from tasks_app.services.rows import hold_row
from tasks_app.services.transactions import run_in_transaction

_KINDS = {
    MaintenanceStatus.DUE_SOON: EventKind.MAINTENANCE_DUE_SOON,
    MaintenanceStatus.DUE: EventKind.MAINTENANCE_DUE,
}


def check_plans(*, now: datetime) -> dict[str, int]:
    """Bring the status of every active plan up to date; one event where it got worse."""
    return run_in_transaction(lambda: _check_plans(now))


def new_plan(device: Device) -> MaintenancePlan:
    """Return a plan whose intervals begin now, at the vehicle's present figures."""
    state = _state_of(device.pk)
    return MaintenancePlan(
        device=device,
        last_done_at=timezone.now(),
        last_done_odometer_meters=state.odometer_meters,
        last_done_engine_seconds=state.engine_seconds,
    )


@transaction.atomic
def mark_done(
    plan: MaintenancePlan,
    *,
    now: datetime,
    odometer_meters: float | None = None,
    engine_seconds: float | None = None,
    note: str = "",
    user: Any = None,
) -> MaintenanceRecord:
    """Start the plan's intervals anew at `now`, at the vehicle's present figures unless others are given; keep a record.

    Work done at a figure the vehicle has long passed leaves the plan as due as that makes it.
    """
    hold_row(plan)
    state = _state_of(plan.device_id)
    plan.last_done_at = now
    plan.last_done_odometer_meters = state.odometer_meters if odometer_meters is None else odometer_meters
    plan.last_done_engine_seconds = state.engine_seconds if engine_seconds is None else engine_seconds
    plan.status = maintenance_due(plan, state, now=timezone.now()).status
    plan.save(update_fields=["last_done_at", "last_done_odometer_meters", "last_done_engine_seconds", "status"])
    return MaintenanceRecord.objects.create(
        plan=plan,
        done_at=now,
        odometer_meters=plan.last_done_odometer_meters,
        engine_seconds=plan.last_done_engine_seconds,
        note=note,
        marked_by=user,
    )


def _state_of(device_id: int) -> DeviceState:
    return DeviceState.objects.filter(device_id=device_id).first() or DeviceState()


def _check_plans(now: datetime) -> dict[str, int]:
    active = MaintenancePlan.objects.filter(is_active=True, device__is_active=True)
    plans = list(active.order_by("id").select_for_update(skip_locked=True, of=("self",)))
    states = DeviceState.objects.in_bulk({plan.device_id for plan in plans})
    events: list[Event] = []
    changed: list[MaintenancePlan] = []
    for plan in plans:
        state = states.get(plan.device_id) or DeviceState(device_id=plan.device_id)
        found = maintenance_due(plan, state, now=now)
        if found.status == plan.status:
            continue
        if is_worse(found.status, plan.status):
            events.append(_event(plan, state, found, now))
        plan.status = found.status
        changed.append(plan)
    MaintenancePlan.objects.bulk_update(changed, ["status"], batch_size=1000)
    record_events(events)
    return {"checked": len(plans), "changed": len(changed), "events": len(events)}


def _event(plan: MaintenancePlan, state: DeviceState, found: MaintenanceDue, now: datetime) -> Event:
    return Event(
        device_id=plan.device_id,
        kind=_KINDS[found.status],
        occurred_at=now,
        latitude=state.latitude,
        longitude=state.longitude,
        data={"plan_id": plan.pk, "plan": plan.name, "remaining": found.remaining},
    )
