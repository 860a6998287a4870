"""Signs of life without a position: a phone that stands still, a fix that could not be right."""

from __future__ import annotations

from datetime import datetime

from tasks_app.models import DeviceState, DeviceStatus
from tasks_app.services.offline import change_status, record_status_changes
from tasks_app.services.position_cache import invalidate_latest_positions
from tasks_app.services.transactions import run_in_transaction


def hear_from(*, device_pk: int, now: datetime) -> None:
    """The device said something: it is online, and being back is an event."""
    run_in_transaction(lambda: _hear(device_pk, now))


def _hear(device_pk: int, now: datetime) -> None:
    DeviceState.objects.get_or_create(device_id=device_pk)
    # Waits where it is locked: whoever holds it may be about to set it offline.
    state = DeviceState.objects.select_for_update().filter(device_id=device_pk).first()
    if state is None:  # deleted meanwhile
        return
    state.last_seen_at = max(state.last_seen_at, now) if state.last_seen_at else now
    state.version += 1
    state.save(update_fields=["last_seen_at", "version", "updated_at"])
    invalidate_latest_positions([state])
    if state.status != DeviceStatus.ONLINE:
        event = change_status(state, DeviceStatus.ONLINE, now=now)
        record_status_changes([state], [event] if event else [])
