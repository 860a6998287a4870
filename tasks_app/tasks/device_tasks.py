"""Tasks about devices: figures, status, maintenance."""

from __future__ import annotations

from typing import Any, Literal

from django.utils import timezone

from tasks_app.engine import task
from tasks_app.queries.access import operates_device
from tasks_app.services.argument_bounds import DeviceId
from tasks_app.services.devices import calculate_statistics, check_offline, check_plans, record_trips, update_status


@task(
    queue="positions",
    schedulable=True,
    permission="tasks_app.view_position",
    members=operates_device,
    needs_operate=False,
)
def calculate_device_statistics(device_id: DeviceId, period: Literal["24h", "7d", "30d"] = "24h") -> dict[str, Any]:
    """Distance, driving times and speeds of a device over the last 24h, 7d or 30d."""
    return calculate_statistics(device_id=device_id, period=period, now=timezone.now())


@task(
    queue="positions",
    schedulable=True,
    permission="tasks_app.change_device",
    members=operates_device,
    needs_operate=False,
)
def update_device_status(
    device_id: DeviceId, status: Literal["online", "offline", "unknown"] | None = None
) -> dict[str, Any]:
    """Set a device online, offline or unknown; without a status, by when it was last heard of."""
    return update_status(device_id=device_id, status=status, now=timezone.now())


@task(queue="positions", schedulable=True)
def check_offline_devices() -> dict[str, int]:
    """Find devices that fell silent; one event per episode."""
    return check_offline(now=timezone.now())


@task(queue="notifications", schedulable=True)
def check_trips() -> dict[str, int]:
    """Find trips that began or ended; one event for each start and each end."""
    return record_trips(now=timezone.now())


@task(queue="notifications", schedulable=True)
def check_maintenance() -> dict[str, int]:
    """Find maintenance that is due soon or due; one event per change."""
    return check_plans(now=timezone.now())
