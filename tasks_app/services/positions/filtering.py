"""Filters on a batch: the rules of its devices, and what is compared with which stored fix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from django.db import connection

from tasks_app.geo.motion_rules import motion_rules
from tasks_app.services.positions.batch import Batch
from tasks_app.services.positions.columns import EPOCH, FixColumns
from tasks_app.services.positions.filter_rules import (
    DEFAULT_FILTERS,
    KEEP,
    FilterPoint,
    FilterRules,
    Reasons,
    TrackFilter,
    follow,
    jumps_from,
    memory_of,
    resolve_rules,
)
from tasks_app.services.positions.senders import KnownDevice
from tasks_app.services.positions.states import State

_NAMES = tuple(field.name for field in fields(FilterRules))
_SETTINGS = f"""
    SELECT fleet_id, device_id, {", ".join(_NAMES)} FROM tasks_app_filtersettings
    WHERE fleet_id = ANY(%s) OR device_id = ANY(%s)
"""  # noqa: S608 - field names of the class above
_ATTRIBUTES = "SELECT device_id, attributes FROM tasks_app_devicestate WHERE device_id = ANY(%s)"
# A day back at most: what lies further away says nothing of the way between.
_BEFORE = """
    SELECT w.device_id, extract(epoch FROM p.fix_time)::float8, p.latitude, p.longitude, p.speed_kph, p.attributes
    FROM unnest(%s::bigint[], %s::timestamptz[]) w(device_id, fix_time)
    CROSS JOIN LATERAL (
        SELECT * FROM tasks_app_position p
        WHERE p.device_id = w.device_id AND p.fix_time < w.fix_time AND p.fix_time >= w.fix_time - interval '1 day'
          AND p.fix_time >= %s AND p.fix_time < %s
        ORDER BY p.fix_time DESC LIMIT 1
    ) p
"""
_STORED = """
    SELECT w.row FROM unnest(%s::int[], %s::bigint[], %s::timestamptz[]) w(row, device_id, fix_time)
    JOIN tasks_app_position p ON p.device_id = w.device_id AND p.fix_time = w.fix_time
    WHERE p.fix_time >= %s AND p.fix_time <= %s
"""


def filters_of(devices: Sequence[KnownDevice]) -> list[FilterRules]:
    """The filters of each device: its own settings, then its fleet's, then the default."""
    if not any(device.has_filters for device in devices):
        return [DEFAULT_FILTERS] * len(devices)
    with connection.cursor() as cursor:
        cursor.execute(_SETTINGS, [list({device.fleet_id for device in devices}), [device.pk for device in devices]])
        rows = cursor.fetchall()
    of_fleet = {row[0]: dict(zip(_NAMES, row[2:], strict=True)) for row in rows if row[0] is not None}
    of_device = {row[1]: dict(zip(_NAMES, row[2:], strict=True)) for row in rows if row[1] is not None}
    return [resolve_rules(of_device.get(device.pk), of_fleet.get(device.fleet_id)) for device in devices]


def compared_reasons(batch: Batch) -> Reasons:
    """Reasons to drop fixes by comparison with the one kept before; updates `filter_memory` of the states.

    A late first row is compared with the stored fix before it. What is stored already stays in, so that a batch that
    comes twice is filtered as before.
    """
    columns = batch.columns
    reasons = np.full(len(columns), KEEP, dtype=np.int8)
    comparing = [number for number, rule in enumerate(batch.filters) if rule.compares]
    if not comparing:
        return reasons
    is_late = columns.times_seconds <= batch.before.times[columns.device]
    is_stored = _late_and_stored(columns, is_late)
    late = [number for number in comparing if is_late[columns.starts[number]]]
    earlier = _stored_before(columns, np.array(late, dtype=np.intp))
    attributes = _attributes_of(columns.device_pks.tolist())
    for number in comparing:
        device, state = batch.devices[number], batch.states[number]
        rows = np.flatnonzero(columns.device == number)
        points, known = _points(columns, rows), _known_point(state, attributes.get(device.pk))
        track = TrackFilter(batch.filters[number], motion_rules(device.kind), earlier.get(device.pk))
        jumps = jumps_from(state.filter_memory)
        reasons[rows], goes_on = follow(track, known, jumps, zip(points, is_stored[rows].tolist(), strict=True))
        if goes_on is not None:
            state.filter_memory = memory_of(goes_on.jumps)
    return reasons


def _late_and_stored(columns: FixColumns, is_late: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which of the late rows are stored already, shape (n,)."""
    is_stored = np.zeros(len(columns), dtype=np.bool_)
    rows = np.flatnonzero(is_late)
    if not len(rows):
        return is_stored
    times = _fix_times(columns, rows)
    pks = columns.device_pks[columns.device[rows]].tolist()
    with connection.cursor() as cursor:
        cursor.execute(_STORED, [rows.tolist(), pks, times, min(times), max(times)])
        is_stored[[row for (row,) in cursor.fetchall()]] = True
    return is_stored


def _stored_before(columns: FixColumns, numbers: npt.NDArray[np.intp]) -> dict[int, FilterPoint]:
    """By primary key of these devices (numbers): the newest stored fix before its first row, if one is within a day."""
    if not len(numbers):
        return {}
    times = _fix_times(columns, columns.starts[numbers])
    pks = columns.device_pks[numbers].tolist()
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE, [pks, times, min(times) - timedelta(days=1), max(times)])
        return {
            device_id: FilterPoint(
                time_seconds, latitude, longitude, speed_kph, msgspec.json.decode(attributes or "{}")
            )
            for device_id, time_seconds, latitude, longitude, speed_kph, attributes in cursor.fetchall()
        }


def _fix_times(columns: FixColumns, rows: npt.NDArray[np.intp]) -> list[datetime]:
    return [EPOCH + timedelta(microseconds=time_us) for time_us in columns.times_us[rows].tolist()]


def _attributes_of(device_ids: list[int]) -> dict[int, dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(_ATTRIBUTES, [device_ids])
        return {device_id: msgspec.json.decode(text) for device_id, text in cursor.fetchall() if text}


def _points(columns: FixColumns, rows: npt.NDArray[np.intp]) -> list[FilterPoint]:
    chosen = (columns.times_seconds, columns.latitudes, columns.longitudes, columns.speeds)
    values = zip(rows.tolist(), *(one[rows].tolist() for one in chosen), strict=True)
    return [
        FilterPoint(time_seconds, latitude, longitude, None if speed != speed else speed, columns.attributes[row])
        for row, time_seconds, latitude, longitude, speed in values
    ]


def _known_point(state: State, attributes: dict[str, Any] | None) -> FilterPoint | None:
    if state.fix_time is None or state.latitude is None or state.longitude is None:
        return None
    return FilterPoint(state.fix_time.timestamp(), state.latitude, state.longitude, state.speed_kph, attributes or {})
