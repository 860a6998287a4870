"""Changes by a batch of new fixes: device states moved forward, events on the way. Reads nothing."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import numpy.typing as npt

from tasks_app.models import Event
from tasks_app.queries.fleet_geofences import FleetGeofences
from tasks_app.services.events import new_event
from tasks_app.services.positions.alarm_events import read_signals
from tasks_app.services.positions.columns import EPOCH
from tasks_app.services.positions.geofence_crossings import cross_geofences
from tasks_app.services.positions.newer_fixes import EventDraft, Forward
from tasks_app.services.positions.overspeeds import find_overspeeds
from tasks_app.services.positions.save_states import Changes


def derive_changes(forward: Forward, geofences: dict[int, FleetGeofences]) -> Changes:
    """Move the states of `forward` (in place) and return what happened; `geofences` are by fleet."""
    if not len(forward.rows):
        return Changes()
    crossings = cross_geofences(forward, geofences)
    overspeeds = find_overspeeds(forward, crossings.limits, geofences)
    drafts = [*crossings.drafts, *overspeeds.drafts, *read_signals(forward)]
    drafts.sort(key=lambda draft: draft.position)
    events = [_event(forward, draft) for draft in drafts]
    jobs = [int(forward.columns.jobs[forward.rows[draft.position]]) for draft in drafts]
    _advance_states(forward)
    return Changes(events, jobs, overspeeds.ended_episodes)


def _event(forward: Forward, draft: EventDraft) -> Event:
    """An unsaved event."""
    columns, row = forward.columns, forward.rows[draft.position]
    return new_event(
        forward.states[forward.device[draft.position]].device_id,
        draft.kind,
        draft.occurred_at or EPOCH + timedelta(microseconds=int(columns.times_us[row])),
        draft.place or (float(columns.latitudes[row]), float(columns.longitudes[row])),
        draft.geofence_id,
        draft.data,
    )


def _advance_states(forward: Forward) -> None:
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
    ends = (columns.times_us[rows], forward.ignition.now[lasts], forward.moving.now[lasts])
    for state, time_us, ignition, is_moving in zip(forward.states, *(values.tolist() for values in ends), strict=True):
        state.fix_time = EPOCH + timedelta(microseconds=time_us)
        state.is_moving = bool(is_moving)
        state.ignition = None if ignition < 0 else bool(ignition)


def _optional(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
