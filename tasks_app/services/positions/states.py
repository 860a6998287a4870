"""Device states for the pipeline: created where missing, locked in id order, read and written as one statement each."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, cast

import msgspec
import numpy as np
import numpy.typing as npt
from django.db import connection

from tasks_app.models import DeviceStatus
from tasks_app.services.binary_copy import EMPTY_STAGING, POSTGRES_EPOCH_US, STATE_STAGING, copy_stream
from tasks_app.services.positions.senders import KnownDevice
from tasks_app.utils.copying import copy


class State(msgspec.Struct):
    """One row of DeviceState while the pipeline works on it. `attributes` None leaves the stored ones.

    Values are replaced, never changed in place: whether one of `_SETTLED` did is seen by comparing.
    """

    device_id: int
    last_seen_at: datetime | None
    fix_time: datetime | None
    latitude: float | None
    longitude: float | None
    altitude_meters: float | None
    speed_kph: float | None
    course_degrees: float | None
    accuracy_meters: float | None
    is_speed_derived: bool
    is_moving: bool
    ignition: bool | None
    odometer_meters: float
    engine_seconds: float
    version: int
    status: str
    offline_since: datetime | None
    geofence_ids: list[int]
    overspeed_event_id: int | None
    overspeed_since: datetime | None
    overspeed_limit_kph: float | None
    overspeed_peak_kph: float | None
    # Of an episode that has not lasted long enough: where it began, and in which geofence.
    overspeed_began: dict[str, Any] | None
    filter_memory: dict[str, Any] | None
    # By geofence id, what crossed its border and has not stayed long enough: since (epoch seconds) and the place.
    pending_geofences: dict[str, dict[str, float]]
    alarms: list[str]
    is_battery_low: bool
    sent_odometer_meters: float | None
    sent_engine_seconds: float | None
    attributes: dict[str, Any] | None = None


_COLUMNS = State.__struct_fields__[:-1]
# What each fix changes; the rest, `_SETTLED`, stays as it is for most devices of a batch.
_MOVED = _COLUMNS[: _COLUMNS.index("status")]
_SETTLED = attrgetter(*_COLUMNS[len(_MOVED) :])
_FLOATS = _MOVED[3:9]
_LOCK = f"""{EMPTY_STAGING}
    SELECT {", ".join(_COLUMNS)} FROM tasks_app_devicestate WHERE device_id = ANY(%s) ORDER BY device_id FOR UPDATE
"""  # noqa: S608 - column names of the class above
_UPDATE = (
    "UPDATE tasks_app_devicestate s SET "  # noqa: S608 - column names of the class above
    + ", ".join(f"{name} = n.{name}" for name in _COLUMNS if name != "device_id")
    + ", attributes = COALESCE(n.attributes, s.attributes), updated_at = now()"
    " FROM json_populate_recordset(NULL::tasks_app_devicestate, %s) n WHERE s.device_id = n.device_id"
)
_COPY = f"COPY {STATE_STAGING} FROM STDIN (FORMAT binary)"
_UPDATE_MOVED = (
    "UPDATE tasks_app_devicestate s SET last_seen_at = NULLIF(n.last_seen_at, 'infinity'),"  # noqa: S608 - as above
    " fix_time = n.fix_time, is_speed_derived = n.is_speed_derived, is_moving = n.is_moving,"
    " ignition = NULLIF(n.ignition, -1)::bool,"
    " odometer_meters = n.odometer_meters, engine_seconds = n.engine_seconds, version = n.version, "
    + ", ".join(f"{name} = NULLIF(n.{name}, 'NaN')" for name in _FLOATS)
    + ", attributes = COALESCE(n.attributes, s.attributes), updated_at = now()"
    f" FROM {STATE_STAGING} n WHERE s.device_id = n.device_id"
)
_INFINITY_US = 2**63 - 1
_CREATE = """
    INSERT INTO tasks_app_devicestate (device_id, status, attributes, is_moving, odometer_meters, engine_seconds,
                                       geofence_ids, pending_geofences, alarms, is_battery_low, updated_at)
    SELECT pk, %s, '{}', false, 0, 0, '{}', '{}', '{}', false, now() FROM unnest(%s) pk ORDER BY pk
    ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class LockedStates:
    """States in id order, locked until the transaction ends, and what of them was settled before."""

    states: list[State]
    settled: dict[int, tuple[Any, ...]]


def lock_states(devices: Iterable[KnownDevice]) -> LockedStates:
    """The states of these devices in id order, locked until the transaction ends; missing ones are made first.

    The staging tables are there and empty afterwards.
    """
    devices = list(devices)
    missing = [device.pk for device in devices if not device.has_state]
    with connection.cursor() as cursor:
        if missing:
            cursor.execute(_CREATE, [DeviceStatus.UNKNOWN.value, missing])
        cursor.execute(_LOCK, [[device.pk for device in devices]])
        states = [State(*row) for row in cursor.fetchall()]
    for state in states:
        # The connection hands jsonb over as text, which is mostly that of nothing.
        text = cast(str, state.pending_geofences)
        state.pending_geofences = {} if text == "{}" else msgspec.json.decode(text)
        for name in ("overspeed_began", "filter_memory"):
            if (stored := getattr(state, name)) is not None:
                setattr(state, name, msgspec.json.decode(stored))
    return LockedStates(states, {state.device_id: _SETTLED(state) for state in states})


def save_states(states: Sequence[State], settled: Mapping[int, tuple[Any, ...]]) -> None:
    """Write states that `lock_states` returned, each as the next version of its row; `settled` is what it returned.

    Most devices only moved: those are written without a value becoming text.
    """
    for state in states:
        state.version += 1
    moved = [state for state in states if state.fix_time is not None and _SETTLED(state) == settled[state.device_id]]
    only_moved = {state.device_id for state in moved}
    others = [state for state in states if state.device_id not in only_moved]
    with connection.cursor() as cursor:
        if moved:
            copy(cursor, _COPY, io.BytesIO(_copy_moved(moved)))
            cursor.execute(_UPDATE_MOVED)
        if others:
            cursor.execute(_UPDATE, [msgspec.json.encode(others).decode()])


def _copy_moved(states: Sequence[State]) -> bytes:
    """A binary COPY stream of _MOVED and the attributes: NaN, -1 and infinity for NULL."""
    encode = msgspec.json.Encoder().encode
    columns = [
        np.array([state.device_id for state in states], dtype=np.int64),
        _postgres_us([state.last_seen_at for state in states]),
        _postgres_us([state.fix_time for state in states]),
        *(np.array([getattr(state, name) for state in states], dtype=np.float64) for name in _FLOATS),
        np.array([state.is_speed_derived for state in states], dtype=np.bool_),
        np.array([state.is_moving for state in states], dtype=np.bool_),
        np.array([-1 if state.ignition is None else state.ignition for state in states], dtype=np.int32),
        np.array([state.odometer_meters for state in states], dtype=np.float64),
        np.array([state.engine_seconds for state in states], dtype=np.float64),
        np.array([state.version for state in states], dtype=np.int64),
    ]
    return copy_stream(columns, [None if state.attributes is None else encode(state.attributes) for state in states])


def _postgres_us(times: Sequence[datetime | None]) -> npt.NDArray[np.int64]:
    # Exact to the microsecond, which a float of seconds is for any sensible year after rounding.
    known_us = [_INFINITY_US if at is None else round(at.timestamp() * 1e6) - POSTGRES_EPOCH_US for at in times]
    return np.array(known_us, dtype=np.int64)
