"""What a batch of new fixes changes: device states moved forward, events that happened on the way. Reads nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks_app.geo.overspeed import OverspeedEnd, OverspeedStart, OverspeedState, is_overspeed, overspeed_episodes
from tasks_app.models import Event, EventKind
from tasks_app.queries.fleet_geofences import FleetGeofences
from tasks_app.services.positions import derivation
from tasks_app.services.positions.alarm_events import read_signals
from tasks_app.services.positions.derivation import FloatArray, Steps
from tasks_app.services.positions.geofence_crossings import cross_geofences
from tasks_app.services.positions.newer_fixes import Changes, Forward, Found
from tasks_app.services.positions.silent_overspeed import end_event_data, episode_end
from tasks_app.services.positions.states import State


@dataclass(frozen=True, slots=True)
class Motion:
    """Speeds and courses of the rows of a `Forward`, the missing ones derived from `steps`, the ways that led to them."""

    steps: Steps
    speeds_kph: FloatArray
    courses_degrees: FloatArray


def motion_of(forward: Forward, steps: Steps) -> Motion:
    """How the devices move at each row; `steps` belong to all rows of the batch."""
    columns, rows, own = forward.columns, forward.rows, steps.select(forward.rows)
    return Motion(
        own,
        derivation.filled_speeds(columns.speeds[rows], own.speeds_kph),
        derivation.filled_courses(columns.courses[rows], own, columns.latitudes[rows], columns.longitudes[rows]),
    )


def derive_changes(forward: Forward, steps: Steps, geofences: dict[int, FleetGeofences]) -> Changes:
    """Move the states of `forward` (in place) and tell what happened. `steps` belong to all rows of the batch."""
    if not len(forward.rows):
        return Changes()
    motion = motion_of(forward, steps)
    limits = np.array([device.speed_limit_kph for device in forward.devices], dtype=np.float64)[forward.device]
    limit_geofences = np.full(len(forward.rows), -1, dtype=np.int64)
    found: Found = []
    fleet_ids = np.array([device.fleet_id for device in forward.devices], dtype=np.int64)
    for fleet_id in np.unique(fleet_ids).tolist():
        fences = geofences[fleet_id]
        found += cross_geofences(forward, fleet_ids == fleet_id, fences, limits, limit_geofences)
    changes = Changes()
    found += _overspeed(forward, _believable(forward, motion), limits, limit_geofences, changes)
    before, ignition = _ignition(forward)
    found += read_signals(forward, ignition, before)
    found.sort(key=lambda pair: pair[0])
    changes.events = [event for _, event in found]
    _advance_states(forward, motion, ignition, before)
    return changes


def _believable(forward: Forward, motion: Motion) -> FloatArray:
    """The speeds to compare with limits: no single glitch of a receiver is an overspeed, or the peak of one."""
    rules = derivation.rules_of([device.kind for device in forward.devices])
    is_sent = ~np.isnan(forward.columns.speeds[forward.rows])
    return derivation.believable_speeds(motion.speeds_kph, is_sent, motion.steps, forward.device, rules)


def _overspeed(
    forward: Forward,
    speeds: FloatArray,
    limits: FloatArray,
    limit_geofences: npt.NDArray[np.int64],
    changes: Changes,
) -> Found:
    """Events of the episodes that began and ended; what older ones' events lack goes to `changes`."""
    tolerances = np.array([device.overspeed_tolerance_kph for device in forward.devices], dtype=np.float64)
    fast = np.logical_or.reduceat(is_overspeed(speeds, limits, tolerances[forward.device]), forward.starts)
    times = forward.columns.times_seconds[forward.rows]
    found: Found = []
    for number, (state, device) in enumerate(zip(forward.states, forward.devices, strict=True)):
        if not fast[number] and state.overspeed_since is None:
            continue
        start, end = int(forward.starts[number]), int(forward.lasts[number]) + 1
        result = overspeed_episodes(
            times[start:end],
            speeds[start:end],
            limits[start:end],
            _episode(state),
            tolerance_kph=device.overspeed_tolerance_kph,
            min_duration_seconds=device.overspeed_min_seconds,
            previous_seconds=state.fix_time.timestamp() if state.fix_time else None,
        )
        current: Event | None = None
        for told in result.events:
            if isinstance(told, OverspeedStart):
                current = _episode_event(forward, start + told.index, told, limit_geofences)
                found.append((start + told.index, current))
            else:
                _end_episode(state, current, told, changes)
                found.append((start + told.index, _end_event(forward, start + told.index, told)))
                current = None
        _keep_episode(state, result.state, current, changes)
    return found


def _episode(state: State) -> OverspeedState | None:
    if state.overspeed_since is None or state.overspeed_limit_kph is None:
        return None
    # An episode that was told has its event; one that was not is still too short.
    is_told = state.overspeed_event_id is not None
    return OverspeedState(state.overspeed_limit_kph, state.overspeed_since, state.overspeed_peak_kph or 0.0, is_told)


def _episode_event(
    forward: Forward, position: int, told: OverspeedStart, limit_geofences: npt.NDArray[np.int64]
) -> Event:
    geofence_id = int(limit_geofences[position])
    return forward.event(
        EventKind.OVERSPEED,
        position,
        occurred_at=told.started_at,
        geofence_id=geofence_id if geofence_id >= 0 else None,
        data={"speed_kph": round(told.speed_kph, 1), "speed_limit_kph": told.limit_kph},
    )


def _end_event(forward: Forward, position: int, told: OverspeedEnd) -> Event:
    """After a silence the episode ended at the last fix before it, not where the device was heard of again."""
    place: dict[str, float | None] = {}
    if told.ended_at < forward.moment(position):
        place = forward.place_before(position)
    return forward.event(
        EventKind.OVERSPEED_END, position, occurred_at=told.ended_at, data=end_event_data(told), **place
    )


def _end_episode(state: State, current: Event | None, told: OverspeedEnd, changes: Changes) -> None:
    ended = episode_end(told)
    if current is not None:
        current.data |= ended
    elif state.overspeed_event_id is not None:
        changes.ended_episodes.append((state.overspeed_event_id, ended))
        state.overspeed_event_id = None


def _keep_episode(state: State, episode: OverspeedState | None, started: Event | None, changes: Changes) -> None:
    state.overspeed_since = episode.started_at if episode else None
    state.overspeed_limit_kph = episode.limit_kph if episode else None
    state.overspeed_peak_kph = episode.peak_kph if episode else None
    if started is not None:
        changes.open_episodes.append((state, started))


def _ignition(forward: Forward) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """What was known of each device's ignition before the batch, (k,), and at each row; 1, 0 or -1 for unknown."""
    before = np.array(
        [-1 if state.ignition is None else int(state.ignition) for state in forward.states], dtype=np.int8
    )
    sent = forward.columns.ignition[forward.rows]
    return before, derivation.carried(sent, forward.device, forward.starts, before)


def _advance_states(
    forward: Forward, motion: Motion, ignition: npt.NDArray[np.int8], ignition_before: npt.NDArray[np.int8]
) -> None:
    steps = motion.steps
    rules = derivation.rules_of([device.kind for device in forward.devices])
    engine_seconds = derivation.engine_seconds_per_device(
        steps.seconds, ignition, forward.device, forward.starts, ignition_before
    )
    moving_before = np.array([state.is_moving for state in forward.states], dtype=np.int8)
    said = derivation.said_moving(motion.speeds_kph, forward.device, rules)
    moving = derivation.carried(said, forward.device, forward.starts, moving_before)
    lasts = forward.lasts
    _place(forward, motion)
    ends = zip(lasts.tolist(), ignition[lasts].tolist(), moving[lasts].tolist(), strict=True)
    for state, (position, ignition_now, is_moving), seconds_run in zip(
        forward.states, ends, engine_seconds.tolist(), strict=True
    ):
        state.fix_time = forward.moment(position)
        state.is_moving = bool(is_moving)
        state.ignition = None if ignition_now < 0 else bool(ignition_now)
        state.engine_seconds += seconds_run


def _place(forward: Forward, motion: Motion) -> None:
    """Put each state at its last row."""
    columns, lasts = forward.columns, forward.lasts
    rows = forward.rows[lasts]
    sent = (columns.latitudes, columns.longitudes, columns.altitudes, columns.accuracies)
    places = [_optional(values[rows]) for values in sent]
    is_derived = np.isnan(columns.speeds[rows]) & ~np.isnan(motion.speeds_kph[lasts])
    moves = [_optional(motion.speeds_kph[lasts]), _optional(motion.courses_degrees[lasts]), is_derived.tolist()]
    for state, row, *found in zip(forward.states, rows.tolist(), *places, *moves, strict=True):
        state.latitude, state.longitude, state.altitude_meters, state.accuracy_meters = found[:4]
        state.speed_kph, state.course_degrees, state.is_speed_derived = found[4:]
        state.attributes = columns.attributes[row]


def _optional(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
