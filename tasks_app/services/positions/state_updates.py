"""Changes by a batch of new fixes: device states moved forward, events on the way. Reads nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks_app.geo.overspeed import OverspeedEnd, OverspeedStart, OverspeedState, is_overspeed, overspeed_episodes
from tasks_app.models import Event, EventKind
from tasks_app.queries.fleet_geofences import FleetGeofences
from tasks_app.services.positions import derivation
from tasks_app.services.positions.alarm_events import read_signals
from tasks_app.services.positions.derivation import FloatArray
from tasks_app.services.positions.geofence_crossings import SpeedLimits, cross_geofences
from tasks_app.services.positions.newer_fixes import Changes, Forward, Found
from tasks_app.services.positions.silent_overspeed import end_event_data, episode_end
from tasks_app.services.positions.states import State


@dataclass(frozen=True, slots=True)
class Motion:
    """Speeds and courses of the rows of a `Forward`, the missing ones derived from the steps that led to them."""

    speeds_kph: FloatArray
    courses_degrees: FloatArray


def motion_of(forward: Forward) -> Motion:
    """How the devices move at each row."""
    columns, rows, steps = forward.columns, forward.rows, forward.steps
    return Motion(
        derivation.filled_speeds(columns.speeds[rows], steps.speeds_kph),
        derivation.filled_courses(columns.courses[rows], steps, columns.latitudes[rows], columns.longitudes[rows]),
    )


def derive_changes(forward: Forward, geofences: dict[int, FleetGeofences]) -> Changes:
    """Move the states of `forward` (in place) and return what happened; `geofences` are by fleet."""
    if not len(forward.rows):
        return Changes()
    motion = motion_of(forward)
    crossings = cross_geofences(forward, geofences)
    overspeeds = _overspeeds(forward, _believable(forward, motion), crossings.limits)
    before, ignition = _ignition(forward)
    found = [*crossings.found, *overspeeds.found, *read_signals(forward, ignition, before)]
    found.sort(key=lambda pair: pair[0])
    _advance_states(forward, motion, ignition, before)
    return Changes([event for _, event in found], overspeeds.ended_episodes, overspeeds.open_episodes)


def _believable(forward: Forward, motion: Motion) -> FloatArray:
    """The speeds to compare with limits: no single glitch of a receiver is an overspeed, or the peak of one."""
    rules = derivation.rules_of([device.kind for device in forward.devices])
    is_sent = ~np.isnan(forward.columns.speeds[forward.rows])
    return derivation.believable_speeds(motion.speeds_kph, is_sent, forward.steps, forward.device, rules)


@dataclass(frozen=True, slots=True)
class _Overspeeds:
    """Events of overspeed episodes, with the rows at which they were noticed, and the other two lists of `Changes`."""

    found: Found = field(default_factory=list)
    ended_episodes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    open_episodes: list[tuple[State, Event]] = field(default_factory=list)


def _overspeeds(forward: Forward, speeds: FloatArray, limits: SpeedLimits) -> _Overspeeds:
    """The episodes that began and ended; the states keep those that go on."""
    tolerances = np.array([device.overspeed_tolerance_kph for device in forward.devices], dtype=np.float64)
    is_fast = is_overspeed(speeds, limits.limits_kph, tolerances[forward.device])
    fast = np.logical_or.reduceat(is_fast, forward.starts)
    times = forward.columns.times_seconds[forward.rows]
    overspeeds = _Overspeeds()
    for number, (state, device) in enumerate(zip(forward.states, forward.devices, strict=True)):
        if not fast[number] and state.overspeed_since is None:
            continue
        start, end = int(forward.starts[number]), int(forward.lasts[number]) + 1
        result = overspeed_episodes(
            times[start:end],
            speeds[start:end],
            limits.limits_kph[start:end],
            _episode(state),
            tolerance_kph=device.overspeed_tolerance_kph,
            min_duration_seconds=device.overspeed_min_seconds,
            previous_seconds=state.fix_time.timestamp() if state.fix_time else None,
        )
        current: Event | None = None
        for change in result.events:
            position = start + change.index
            if isinstance(change, OverspeedStart):
                current = _episode_event(forward, position, change, int(limits.geofence_ids[position]))
                overspeeds.found.append((position, current))
            else:
                overspeeds.ended_episodes.extend(_end_episode(state, current, change))
                overspeeds.found.append((position, _end_event(forward, position, change)))
                current = None
        _keep_episode(state, result.state)
        if current is not None:
            overspeeds.open_episodes.append((state, current))
    return overspeeds


def _episode(state: State) -> OverspeedState | None:
    if state.overspeed_since is None or state.overspeed_limit_kph is None:
        return None
    # An episode without an event is still too short.
    is_recorded = state.overspeed_event_id is not None
    return OverspeedState(
        state.overspeed_limit_kph, state.overspeed_since, state.overspeed_peak_kph or 0.0, is_recorded
    )


def _episode_event(forward: Forward, position: int, start: OverspeedStart, geofence_id: int) -> Event:
    return forward.event(
        EventKind.OVERSPEED,
        position,
        occurred_at=start.started_at,
        geofence_id=geofence_id if geofence_id >= 0 else None,
        data={"speed_kph": round(start.speed_kph, 1), "speed_limit_kph": start.limit_kph},
    )


def _end_event(forward: Forward, position: int, end: OverspeedEnd) -> Event:
    """After a silence the episode ended at the last fix before it, not where the device was heard of again."""
    place: dict[str, float | None] = {}
    if end.ended_at < forward.fix_time(position):
        place = forward.place_before(position)
    return forward.event(EventKind.OVERSPEED_END, position, occurred_at=end.ended_at, data=end_event_data(end), **place)


def _end_episode(state: State, current: Event | None, end: OverspeedEnd) -> list[tuple[int, dict[str, Any]]]:
    """Complete the event of the episode; return its id and what it lacks where it was stored by an earlier batch."""
    ended = episode_end(end)
    if current is not None:
        current.data |= ended
        return []
    event_id, state.overspeed_event_id = state.overspeed_event_id, None
    return [] if event_id is None else [(event_id, ended)]


def _keep_episode(state: State, episode: OverspeedState | None) -> None:
    state.overspeed_since = episode.started_at if episode else None
    state.overspeed_limit_kph = episode.limit_kph if episode else None
    state.overspeed_peak_kph = episode.peak_kph if episode else None


def _ignition(forward: Forward) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """Ignition of each device before the batch, (k,), and at each row; 1, 0 or -1 for unknown."""
    before = np.array(
        [-1 if state.ignition is None else int(state.ignition) for state in forward.states], dtype=np.int8
    )
    sent = forward.columns.ignition[forward.rows]
    return before, derivation.carried(sent, forward.device, forward.starts, before)


def _advance_states(
    forward: Forward, motion: Motion, ignition: npt.NDArray[np.int8], ignition_before: npt.NDArray[np.int8]
) -> None:
    rules = derivation.rules_of([device.kind for device in forward.devices])
    engine_seconds = derivation.engine_seconds_per_device(
        forward.steps.seconds, ignition, forward.device, forward.starts, ignition_before
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
        state.fix_time = forward.fix_time(position)
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
