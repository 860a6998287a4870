"""Status of devices: online while they send, offline after a silence that is longer than allowed, or as a user sets it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, QuerySet, Value
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from tasks_app.engine import PermanentError
from tasks_app.models import Device, DeviceState, DeviceStatus, Event, EventKind
from tasks_app.services.events import record_events
from tasks_app.services.positions import end_silent_episodes, invalidate_latest_positions
from tasks_app.services.transactions import run_in_transaction


def offline_after_minutes(device: Device) -> int:
    """How long this device may be silent: its own setting, its fleet's, the system's."""
    return device.offline_after_minutes or device.fleet.offline_after_minutes or settings.OFFLINE_AFTER_MINUTES


def status_of(last_seen_at: datetime | None, *, silent_minutes: float, now: datetime) -> DeviceStatus:
    """Online, or offline after more than `silent_minutes` without a sign; unknown for a device never heard of."""
    if last_seen_at is None:
        return DeviceStatus.UNKNOWN
    is_silent = now - last_seen_at > timedelta(minutes=silent_minutes)
    return DeviceStatus.OFFLINE if is_silent else DeviceStatus.ONLINE


def change_status(state: DeviceState, status: DeviceStatus, *, now: datetime) -> Event | None:
    """Set `status` on a locked, unsaved state; return its unsaved event, None where no event is needed."""
    before, state.status = state.status, status
    if status == DeviceStatus.OFFLINE:
        state.offline_since = state.offline_since or state.last_seen_at or now
        return (
            None if before == DeviceStatus.OFFLINE else _event(state, EventKind.DEVICE_OFFLINE, state.last_seen_at, now)
        )
    since, state.offline_since = state.offline_since, None
    if before == DeviceStatus.OFFLINE and status == DeviceStatus.ONLINE:
        return _event(state, EventKind.DEVICE_ONLINE, since, now)
    return None


def check_offline(*, now: datetime) -> dict[str, int]:
    """Find the devices that fell silent, set them offline and record one event each; end their open episodes."""
    end_silent_episodes(now=now)
    return {"offline": run_in_transaction(lambda: _mark_silent(now))}


def silent_states(now: datetime) -> QuerySet[DeviceState]:
    """States of active devices, not offline yet, of which nothing came for longer than they may be silent."""
    minutes = Coalesce(
        "device__offline_after_minutes", "device__fleet__offline_after_minutes", Value(settings.OFFLINE_AFTER_MINUTES)
    )
    allowed = ExpressionWrapper(minutes * Value(timedelta(minutes=1)), output_field=DurationField())
    return DeviceState.objects.filter(
        device__is_active=True, last_seen_at__lt=ExpressionWrapper(Value(now) - allowed, output_field=DateTimeField())
    ).exclude(status=DeviceStatus.OFFLINE)


def record_status_changes(states: list[DeviceState], events: list[Event]) -> None:
    """Save locked states whose status changed, and record the events, inside the caller's transaction."""
    for state in states:
        state.updated_at = timezone.now()
        state.version += 1
    DeviceState.objects.bulk_update(states, ["status", "offline_since", "version", "updated_at"], batch_size=1000)
    invalidate_latest_positions(states)
    record_events(events, states=states)


def _mark_silent(now: datetime) -> int:
    # A state the pipeline holds right now belongs to a device that is just being heard of.
    locked = list(silent_states(now).order_by("device_id").select_for_update(of=("self",), skip_locked=True))
    events = [event for state in locked if (event := change_status(state, DeviceStatus.OFFLINE, now=now)) is not None]
    record_status_changes(locked, events)
    return len(events)


def _event(state: DeviceState, kind: EventKind, since: datetime | None, now: datetime) -> Event:
    data = {} if since is None else {"offline_minutes": round((now - since).total_seconds() / 60, 1)}
    return Event(
        device_id=state.device_id,
        kind=kind,
        occurred_at=now,
        latitude=state.latitude,
        longitude=state.longitude,
        data=data,
    )


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


def hear_from(*, device_pk: int, now: datetime) -> None:
    """The device said something: it is online, and being back is an event."""
    run_in_transaction(lambda: _hear(device_pk, now))


def hear_from_all(*, device_pks: Collection[int], now: datetime) -> None:
    """These devices said something: `hear_from` for many, in one transaction."""
    run_in_transaction(lambda: _hear_all(device_pks, now))


def _hear(device_pk: int, now: datetime) -> None:
    DeviceState.objects.get_or_create(device_id=device_pk)
    # Waits where it is locked: its holder may be about to set it offline.
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


def _hear_all(device_pks: Collection[int], now: datetime) -> None:
    new = Device.objects.filter(pk__in=device_pks, state=None).order_by("pk").values_list("pk", flat=True)
    DeviceState.objects.bulk_create([DeviceState(device_id=pk) for pk in new], ignore_conflicts=True)
    rows = DeviceState.objects.filter(device_id__in=device_pks)
    # Most are online and need neither to be loaded nor an event.
    locked = list(rows.order_by("device_id").select_for_update().values_list("device_id", "version", "status"))
    rows.update(last_seen_at=Greatest("last_seen_at", Value(now)), version=F("version") + 1, updated_at=timezone.now())
    invalidate_latest_positions([DeviceState(device_id=pk, version=version + 1) for pk, version, _ in locked])
    offline = [pk for pk, _, status in locked if status != DeviceStatus.ONLINE]
    back = list(rows.filter(device_id__in=offline).order_by("device_id")) if offline else []
    events = [event for state in back if (event := change_status(state, DeviceStatus.ONLINE, now=now)) is not None]
    if back:
        record_status_changes(back, events)
