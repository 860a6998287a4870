"""Setting a device's status, by what was heard of it or by a person's word."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tasks_app.engine import PermanentError
from tasks_app.models import Device, DeviceState, DeviceStatus
from tasks_app.services.offline import change_status, offline_after_minutes, record_status_changes, status_of
from tasks_app.services.transactions import run_in_transaction


def find_device(device_id: int) -> Device:
    """The device with this primary key and its fleet. Raises PermanentError when there is none."""
    device = Device.objects.select_related("fleet").filter(pk=device_id).first()
    if device is None:
        raise PermanentError(f"There is no device {device_id}.")
    return device


def update_status(*, device_id: int, status: str | None = None, now: datetime) -> dict[str, Any]:
    """Set a device's status, or without `status` work it out from when it was last heard of.

    Returns `{"device_id", "status", "changed"}`; a change to offline or back is an event. Raises PermanentError for an
    unknown device or status.
    """
    if status is not None and status not in DeviceStatus.values:
        raise PermanentError(f"Status must be one of {', '.join(DeviceStatus.values)}, not {status[:50]!r}.")
    device = find_device(device_id)
    return run_in_transaction(lambda: _update(device, status, now))


def _update(device: Device, wanted: str | None, now: datetime) -> dict[str, Any]:
    DeviceState.objects.get_or_create(device=device)
    state = DeviceState.objects.select_for_update().get(device=device)
    heard = status_of(state.last_seen_at, silent_minutes=offline_after_minutes(device), now=now)
    status = DeviceStatus(wanted) if wanted else heard
    changed = status != state.status
    if changed:
        event = change_status(state, status, now=now)
        record_status_changes([state], [event] if event else [])
    return {"device_id": device.pk, "status": status.value, "changed": changed}
