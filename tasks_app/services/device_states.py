"""Device states for the pipeline: created where missing, locked in id order, read and written as one statement each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import numpy as np
from django.db import connection

from tasks_app.models import DeviceStatus
from tasks_app.services.derivation import Before

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class KnownDevice:
    """What the pipeline needs to know of a device that may send. Limits are its own or its fleet's."""

    pk: int
    unique_id: str
    fleet_id: int
    is_active: bool
    speed_limit_kph: float | None
    overspeed_tolerance_kph: float
    overspeed_min_seconds: int
    battery_low_percent: float
    time_zone: str
    has_state: bool


@dataclass(slots=True)
class State:
    """One row of DeviceState while the pipeline works on it. `attributes` None leaves the stored ones."""

    device_id: int
    status: str
    last_seen_at: datetime | None
    offline_since: datetime | None
    fix_time: datetime | None
    latitude: float | None
    longitude: float | None
    altitude_meters: float | None
    speed_kph: float | None
    course_degrees: float | None
    accuracy_meters: float | None
    is_moving: bool
    ignition: bool | None
    odometer_meters: float
    engine_seconds: float
    geofence_ids: list[int]
    overspeed_event_id: int | None
    overspeed_since: datetime | None
    overspeed_limit_kph: float | None
    overspeed_peak_kph: float | None
    filter_memory: dict[str, Any] | None
    version: int
    # By geofence id, what crossed its border and has not stayed long enough: since (epoch seconds) and the place.
    pending_geofences: dict[str, dict[str, float]]
    alarms: list[str]
    is_battery_low: bool
    sent_odometer_meters: float | None
    sent_engine_seconds: float | None
    attributes: dict[str, Any] | None = None


_COLUMNS = tuple(name for name in State.__dataclass_fields__ if name != "attributes")
_SELECT = (
    f"SELECT {', '.join(_COLUMNS)} FROM tasks_app_devicestate WHERE device_id = ANY(%s) ORDER BY device_id FOR UPDATE"  # noqa: S608
)
_UPDATE = (
    "UPDATE tasks_app_devicestate s SET "  # noqa: S608 - column names of the class above
    + ", ".join(f"{name} = n.{name}" for name in _COLUMNS if name != "device_id")
    + ", attributes = COALESCE(n.attributes, s.attributes), updated_at = now()"
    " FROM json_populate_recordset(NULL::tasks_app_devicestate, %s) n WHERE s.device_id = n.device_id"
)
_CREATE = """
    INSERT INTO tasks_app_devicestate (device_id, status, attributes, is_moving, odometer_meters, engine_seconds,
                                       geofence_ids, pending_geofences, alarms, is_battery_low, updated_at)
    SELECT pk, %s, '{}', false, 0, 0, '{}', '{}', '{}', false, now() FROM unnest(%s) pk ORDER BY pk
    ON CONFLICT DO NOTHING
"""
_DEVICES = """
    SELECT d.id, d.unique_id, d.fleet_id, d.is_active, COALESCE(d.speed_limit_kph, f.speed_limit_kph),
           COALESCE(d.overspeed_tolerance_kph, f.overspeed_tolerance_kph),
           COALESCE(d.overspeed_min_seconds, f.overspeed_min_seconds), f.battery_low_percent, f.time_zone,
           s.device_id IS NOT NULL
    FROM tasks_app_device d
    JOIN tasks_app_fleet f ON f.id = d.fleet_id
    LEFT JOIN tasks_app_devicestate s ON s.device_id = d.id
    WHERE d.unique_id = ANY(%s)
"""


def find_devices(unique_ids: Iterable[str]) -> dict[str, KnownDevice]:
    """The devices of these unique ids, by unique id; unknown ones are not in it."""
    with connection.cursor() as cursor:
        cursor.execute(_DEVICES, [list(unique_ids)])
        return {row[1]: KnownDevice(*row) for row in cursor.fetchall()}


def lock_states(devices: Iterable[KnownDevice]) -> list[State]:
    """The states of these devices in id order, locked until the transaction ends; missing ones are made first."""
    devices = list(devices)
    missing = [device.pk for device in devices if not device.has_state]
    with connection.cursor() as cursor:
        if missing:
            cursor.execute(_CREATE, [DeviceStatus.UNKNOWN.value, missing])
        cursor.execute(_SELECT, [[device.pk for device in devices]])
        states = [State(*row) for row in cursor.fetchall()]
    for state in states:
        # The connection hands jsonb over as text.
        state.pending_geofences = msgspec.json.decode(cast(str, state.pending_geofences))
        if state.filter_memory is not None:
            state.filter_memory = msgspec.json.decode(cast(str, state.filter_memory))
    return states


def save_states(states: list[State]) -> None:
    """Write states that `lock_states` returned, each as the next version of its row."""
    for state in states:
        state.version += 1
    if states:
        with connection.cursor() as cursor:
            cursor.execute(_UPDATE, [msgspec.json.encode(states).decode()])


def before_arrays(states: Sequence[State]) -> Before:
    """Time and place of each state as arrays, NaN where the device has none yet."""
    times = [np.nan if state.fix_time is None else state.fix_time.timestamp() for state in states]
    return Before(
        np.array(times, dtype=np.float64),
        np.array([state.latitude for state in states], dtype=np.float64),
        np.array([state.longitude for state in states], dtype=np.float64),
        np.array([state.speed_kph for state in states], dtype=np.float64),
    )


def from_microseconds(moment_us: int) -> datetime:
    """The aware UTC time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=moment_us)
