"""Enters and exits of geofences: the events, and which geofences each device is in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from tasks_app.geo.transitions import fleet_transitions
from tasks_app.geo.windows import is_open
from tasks_app.models import EventKind
from tasks_app.queries.fleet_geofences import FleetGeofences
from tasks_app.services.positions.newer_fixes import EventDraft, Forward
from tasks_app.services.positions.states import State

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.intp]
# By (number of the device, column of the geofence): what is pending of an earlier batch.
Pending = dict[tuple[int, int], dict[str, float]]


@dataclass(frozen=True, slots=True)
class SpeedLimits:
    """The limit in force at each row of a `Forward`, shape (n,), and the geofence it is from; -1 for none."""

    limits_kph: FloatArray
    geofence_ids: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Crossings:
    """Enter and exit events, and the limits that the geofences set."""

    drafts: list[EventDraft]
    limits: SpeedLimits


def cross_geofences(forward: Forward, geofences: Mapping[int, FleetGeofences]) -> Crossings:
    """Move the devices through the geofences of their fleets; the states keep where they are now."""
    limits_kph = np.array([device.speed_limit_kph for device in forward.devices], dtype=np.float64)[forward.device]
    geofence_ids = np.full(len(forward.rows), -1, dtype=np.int64)
    fleet_ids = np.array([device.fleet_id for device in forward.devices], dtype=np.int64)
    drafts: list[EventDraft] = []
    for fleet_id in np.unique(fleet_ids).tolist():
        of_fleet, fences = fleet_ids == fleet_id, geofences[fleet_id]
        if not len(fences.index):
            for number in np.flatnonzero(of_fleet).tolist():
                forward.states[number].geofence_ids, forward.states[number].pending_geofences = [], {}
            continue
        positions = np.flatnonzero(of_fleet[forward.device])
        rows = forward.rows[positions]
        inside = fences.index.inside(forward.columns.latitudes[rows], forward.columns.longitudes[rows])
        limits_kph[positions], columns = applied_limits(inside, fences.limits_kph, limits_kph[positions])
        ids = np.array(fences.index.ids, dtype=np.int64)
        geofence_ids[positions] = np.where(columns >= 0, ids[columns], -1)
        drafts += _cross(forward, np.flatnonzero(of_fleet), positions, inside, fences)
    return Crossings(drafts, SpeedLimits(limits_kph, geofence_ids))


def applied_limits(
    inside: BoolArray, geofence_limits: FloatArray, other_limits: FloatArray
) -> tuple[FloatArray, IndexArray]:
    """The speed limit at each fix and the geofence column it comes from, -1 where it is the device's or fleet's.

    `inside` (n, m), `geofence_limits` (m,) and `other_limits` (n,), NaN for none. Of several the lowest counts.
    """
    columns = np.flatnonzero(~np.isnan(geofence_limits))
    none = np.full(len(inside), -1, dtype=np.intp)
    if not len(columns) or not len(inside):
        return other_limits, none
    candidates = np.where(inside[:, columns], geofence_limits[columns], np.inf)
    best = candidates.argmin(axis=1)
    lowest = candidates[np.arange(len(best)), best]
    found = np.isfinite(lowest)
    return np.where(found, lowest, other_limits), np.where(found, columns[best], none)


def _cross(
    forward: Forward, numbers: IndexArray, positions: IndexArray, inside: BoolArray, fences: FleetGeofences
) -> list[EventDraft]:
    """The events of one fleet's devices, which have these numbers and rows; `inside` has shape (rows, geofences)."""
    rows, states = forward.rows[positions], [forward.states[number] for number in numbers.tolist()]
    latitudes, longitudes = forward.columns.latitudes[rows], forward.columns.longitudes[rows]
    starts = np.searchsorted(positions, forward.starts[numbers])
    members, pending = _members(states, fences.index.ids)
    crossed = fleet_transitions(
        inside,
        starts,
        members,
        forward.columns.accuracies[rows],
        near=_near(fences, inside, starts, _possible(members, pending), latitudes, longitudes),
        times_seconds=forward.columns.times_seconds[rows],
        dwell_seconds=fences.dwell_seconds,
        pending_since={place: one["since"] for place, one in pending.items()},
    )
    _keep_members(states, np.array(fences.index.ids, dtype=np.int64), members, crossed.members)
    for device, column, row in crossed.pending:
        kept = pending[device, column] if row < 0 else _began(forward, int(positions[row]))
        states[device].pending_geofences[str(fences.index.ids[column])] = kept
    device_of = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(rows))))
    settled, since = crossed.settled_rows.tolist(), crossed.since_rows.tolist()
    drafts = []
    for row, first, column, entered in zip(settled, since, crossed.columns.tolist(), crossed.entered, strict=True):
        began = pending[int(device_of[row]), column] if first < 0 else _began(forward, int(positions[first]))
        occurred_at = datetime.fromtimestamp(began["since"], tz=UTC)
        if is_open(fences.windows[column], occurred_at, fences.zone):
            kind = EventKind.GEOFENCE_ENTER if entered else EventKind.GEOFENCE_EXIT
            data = {"geofence": fences.names[column]} | {key: began[key] for key in ("speed_kph",) if key in began}
            place, geofence_id = (began["latitude"], began["longitude"]), fences.index.ids[column]
            drafts.append(EventDraft(int(positions[row]), kind, data, occurred_at, place, geofence_id))
    return drafts


def _members(states: list[State], ids: tuple[int, ...]) -> tuple[BoolArray, Pending]:
    """Membership before the batch, shape (devices, geofences), and what is pending; a geofence that is gone is neither."""
    columns = {geofence_id: column for column, geofence_id in enumerate(ids)}
    members = np.zeros((len(states), len(ids)), dtype=np.bool_)
    pending: Pending = {}
    for number, state in enumerate(states):
        for geofence_id in state.geofence_ids:
            if geofence_id in columns:
                members[number, columns[geofence_id]] = True
        for key, began in state.pending_geofences.items():
            if int(key) in columns:
                pending[number, columns[int(key)]] = began
    return members, pending


def _keep_members(states: list[State], ids: npt.NDArray[np.int64], before: BoolArray, now: BoolArray) -> None:
    """Write the geofences of each device where they changed; one that is gone is in neither `before` nor `now`."""
    changed, counts = (before != now).any(axis=1).tolist(), now.sum(axis=1).tolist()
    for state, is_changed, count, inside in zip(states, changed, counts, now, strict=True):
        state.pending_geofences = {}
        if is_changed or count != len(state.geofence_ids):
            state.geofence_ids = ids[inside].tolist()


def _possible(members: BoolArray, pending: Pending) -> BoolArray:
    """Where a device may count as inside before the batch."""
    possible = members.copy()
    for place in pending:
        possible[place] = True
    return possible


def _near(
    fences: FleetGeofences,
    inside: BoolArray,
    starts: IndexArray,
    possible: BoolArray,
    latitudes: FloatArray,
    longitudes: FloatArray,
) -> BoolArray | None:
    """Fixes outside of a geofence but within its tolerance, of the devices that were inside; None without tolerances."""
    columns = np.flatnonzero(fences.tolerances_meters > 0.0)
    if not len(columns):
        return None
    been_inside = np.logical_or.reduceat(inside[:, columns], starts) | possible[:, columns]
    counts = np.diff(np.append(starts, len(inside)))
    near = np.zeros_like(inside)
    for number in np.flatnonzero(been_inside.any(axis=0)).tolist():
        column = int(columns[number])
        rows = np.flatnonzero(~inside[:, column] & np.repeat(been_inside[:, number], counts))
        away = fences.index.boundary_distance_meters(column, latitudes[rows], longitudes[rows])
        near[rows, column] = away <= fences.tolerances_meters[column]
    return near


def _began(forward: Forward, position: int) -> dict[str, float]:
    """Time and place where a crossing began, kept until its event is made."""
    columns, row = forward.columns, forward.rows[position]
    place = {
        "since": float(columns.times_us[row] / 1e6),
        "latitude": float(columns.latitudes[row]),
        "longitude": float(columns.longitudes[row]),
    }
    speed_kph = float(columns.speeds[row])
    return place if np.isnan(speed_kph) else {**place, "speed_kph": round(speed_kph, 1)}
