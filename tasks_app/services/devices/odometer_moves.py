"""Writing the odometer and the engine hours, apart from the pipeline's writes of a state. Inside the caller's transaction."""

from __future__ import annotations

from django.db import transaction

from tasks_app.models import Device, DeviceState
from tasks_app.services import broadcast
from tasks_app.services.positions import invalidate_latest_positions


def move_counters(device: Device, *, meters: float, engine_seconds: float) -> None:
    """Add what roll-ups changed by, which is negative where late fixes made it less."""
    if meters or engine_seconds:
        state = _locked_state(device)
        state.odometer_meters = max(0.0, state.odometer_meters + meters)
        state.engine_seconds = max(0.0, state.engine_seconds + engine_seconds)
        _save(state, device)


def save_reading(device: Device, meters: float) -> DeviceState:
    """Replace the odometer."""
    state = _locked_state(device)
    state.odometer_meters = meters
    _save(state, device)
    return state


def _locked_state(device: Device) -> DeviceState:
    """Return the state, which is created where missing, locked until the transaction ends.

    The pipeline locks it before it marks days as dirty: the holder of dirty days has to come here first.
    """
    DeviceState.objects.get_or_create(device=device)
    return DeviceState.objects.select_for_update(of=("self",)).get(device=device)


def _save(state: DeviceState, device: Device) -> None:
    """Write the counters as the next version of the state, and notify live viewers."""
    state.version += 1
    state.save(update_fields=["odometer_meters", "engine_seconds", "version", "updated_at"])
    invalidate_latest_positions([state])
    transaction.on_commit(lambda: broadcast.announce([state], [], {device.pk: device.fleet_id}), robust=True)
