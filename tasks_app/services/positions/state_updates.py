"""Changes by a batch of new fixes: device states moved forward, events on the way. Reads nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks_app.queries.fleet_geofences import FleetGeofences
from tasks_app.services.positions import derivation
from tasks_app.services.positions.alarm_events import read_signals
from tasks_app.services.positions.geofence_crossings import cross_geofences
from tasks_app.services.positions.newer_fixes import Changes, Forward
from tasks_app.services.positions.overspeeds import find_overspeeds


def derive_changes(forward: Forward, geofences: dict[int, FleetGeofences]) -> Changes:
    """Move the states of `forward` (in place) and return what happened; `geofences` are by fleet."""
    if not len(forward.rows):
        return Changes()
    crossings = cross_geofences(forward, geofences)
    overspeeds = find_overspeeds(forward, crossings.limits)
    before, ignition = _ignition(forward)
    found = [*crossings.found, *overspeeds.found, *read_signals(forward, ignition, before)]
    found.sort(key=lambda pair: pair[0])
    _advance_states(forward, ignition, before)
    return Changes([event for _, event in found], overspeeds.ended_episodes, overspeeds.open_episodes)


def _ignition(forward: Forward) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """Ignition of each device before the batch, (k,), and at each row; 1, 0 or -1 for unknown."""
    before = np.array(
        [-1 if state.ignition is None else int(state.ignition) for state in forward.states], dtype=np.int8
    )
    sent = forward.columns.ignition[forward.rows]
    return before, derivation.carried(sent, forward.device, forward.starts, before)


def _advance_states(forward: Forward, ignition: npt.NDArray[np.int8], ignition_before: npt.NDArray[np.int8]) -> None:
    engine_seconds = derivation.engine_seconds_per_device(
        forward.steps.seconds, ignition, forward.device, forward.starts, ignition_before
    )
    moving_before = np.array([state.is_moving for state in forward.states], dtype=np.int8)
    said = derivation.said_moving(forward.speeds_kph, forward.device, forward.rules)
    moving = derivation.carried(said, forward.device, forward.starts, moving_before)
    lasts = forward.lasts
    _place(forward)
    ends = zip(lasts.tolist(), ignition[lasts].tolist(), moving[lasts].tolist(), strict=True)
    for state, (position, ignition_now, is_moving), seconds_run in zip(
        forward.states, ends, engine_seconds.tolist(), strict=True
    ):
        state.fix_time = forward.fix_time(position)
        state.is_moving = bool(is_moving)
        state.ignition = None if ignition_now < 0 else bool(ignition_now)
        state.engine_seconds += seconds_run


def _place(forward: Forward) -> None:
    """Put each state at its last row."""
    columns, lasts = forward.columns, forward.lasts
    rows = forward.rows[lasts]
    sent = (columns.latitudes, columns.longitudes, columns.altitudes, columns.accuracies)
    places = [_optional(values[rows]) for values in sent]
    is_derived = np.isnan(columns.speeds[rows]) & ~np.isnan(forward.speeds_kph[lasts])
    moves = [_optional(forward.speeds_kph[lasts]), _optional(forward.courses_degrees[lasts]), is_derived.tolist()]
    for state, row, *found in zip(forward.states, rows.tolist(), *places, *moves, strict=True):
        state.latitude, state.longitude, state.altitude_meters, state.accuracy_meters = found[:4]
        state.speed_kph, state.course_degrees, state.is_speed_derived = found[4:]
        state.attributes = columns.attributes[row]


def _optional(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
