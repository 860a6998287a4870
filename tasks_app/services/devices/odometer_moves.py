"""Writing the odometer, apart from the pipeline's writes of a state. Inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction

from tasks_app.models import Device, DeviceState
from tasks_app.services import broadcast
from tasks_app.services.positions import invalidate_latest_positions


def move_odometer(device: Device, meters: float) -> None:
    """Add the way by which roll-ups changed, which is negative where late fixes made it shorter."""
    if meters:
        save_reading(device, lambda reading: max(0.0, reading + meters))


def save_reading(device: Device, reading: Callable[[float], float]) -> DeviceState:
    """Replace the odometer as the next version of the state, which is created where missing, and notify live viewers.

    The row is locked until the transaction ends, and the pipeline locks it before it marks days as dirty: the holder of
    dirty days has to come here first.
    """
    DeviceState.objects.get_or_create(device=device)
    state = DeviceState.objects.select_for_update(of=("self",)).get(device=device)
    state.odometer_meters = reading(state.odometer_meters)
    state.version += 1
    state.save(update_fields=["odometer_meters", "version", "updated_at"])
    invalidate_latest_positions([state])
    transaction.on_commit(lambda: broadcast.announce([state], [], {device.pk: device.fleet_id}), robust=True)
    return state
