"""What a batch of new fixes changes: device states moved forward, events that happened on the way. Reads nothing.

Only fixes newer than a device's state count here: a late fix is history, it moves no marker and raises no event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks_app.geo.overspeed import OverspeedEnd, OverspeedStart, OverspeedState, is_overspeed, overspeed_episodes
from tasks_app.geo.speed import DEFAULT_RULES
from tasks_app.geo.transitions import fleet_transitions
from tasks_app.models import Event, EventKind
from tasks_app.services import derivation
from tasks_app.services.derivation import Steps
from tasks_app.services.device_states import KnownDevice, State, before_arrays
from tasks_app.services.fix_columns import FixColumns
from tasks_app.services.fleet_geofences import FleetGeofences

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Changes:
    """Events to write, in (device, time) order, and the ends of episodes whose event is written already."""

    events: list[Event] = field(default_factory=list)
    ended_episodes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    # State -> the event of the overspeed episode it is in, where that event has no id yet.
    open_episodes: list[tuple[State, Event]] = field(default_factory=list)


@dataclass(slots=True)
class Forward:
    """The rows of a batch that move a device forward; `device` numbers those devices 0..k-1, `states[j]` is theirs."""

    columns: FixColumns
    rows: npt.NDArray[np.intp]
    device: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    states: list[State]
    devices: list[KnownDevice]

    @property
    def lasts(self) -> npt.NDArray[np.intp]:
        return np.append(self.starts[1:], len(self.rows)) - 1

    def moment(self, position: int) -> datetime:
        return _EPOCH + timedelta(microseconds=int(self.columns.times_us[self.rows[position]]))

    def event(self, kind: EventKind, position: int, **fields: Any) -> Event:
        """An unsaved event at the place of a row, and at its time unless `occurred_at` says otherwise."""
        row = self.rows[position]
        place = {"latitude": float(self.columns.latitudes[row]), "longitude": float(self.columns.longitudes[row])}
        fields = {"occurred_at": self.moment(position), **place, **fields}
        return Event(device_id=self.states[self.device[position]].device_id, kind=kind, **fields)


def forward_rows(
    columns: FixColumns,
    new: npt.NDArray[np.bool_],
    states: Sequence[State],
    devices: Sequence[KnownDevice],
    known_times: npt.NDArray[np.float64],
) -> Forward:
    """The rows stored now that are newer than their device's state; the lists follow `columns.device_pks`."""
    is_forward = new & ~(columns.times_seconds <= known_times[columns.device])
    rows = np.flatnonzero(is_forward)
    numbers, starts, device = np.unique(columns.device[rows], return_index=True, return_inverse=True)
    chosen = numbers.tolist()
    return Forward(columns, rows, device, starts, [states[n] for n in chosen], [devices[n] for n in chosen])


def derive_changes(forward: Forward, steps: Steps, geofences: dict[int, FleetGeofences]) -> Changes:
    """Move the states of `forward` (in place) and tell what happened. `steps` belong to all rows of the batch."""
    if not len(forward.rows):
        return Changes()
    limits = np.array([device.speed_limit_kph for device in forward.devices], dtype=np.float64)[forward.device]
    limit_geofences = np.full(len(forward.rows), -1, dtype=np.int64)
    found: list[tuple[int, Event]] = []
    fleet_ids = np.array([device.fleet_id for device in forward.devices], dtype=np.int64)
    for fleet_id in np.unique(fleet_ids).tolist():
        fences = geofences[fleet_id]
        found += _cross_geofences(forward, fleet_ids == fleet_id, fences, limits, limit_geofences)
    changes = Changes()
    found += _overspeed(forward, limits, limit_geofences, changes)
    found.sort(key=lambda pair: pair[0])
    changes.events = [event for _, event in found]
    _advance_states(forward, steps)
    return changes


def _cross_geofences(
    forward: Forward,
    of_fleet: npt.NDArray[np.bool_],
    fences: FleetGeofences,
    limits: npt.NDArray[np.float64],
    limit_geofences: npt.NDArray[np.int64],
) -> list[tuple[int, Event]]:
    """Enter and exit events of one fleet's devices; writes its geofences' limits into `limits`, `limit_geofences`."""
    numbers = np.flatnonzero(of_fleet)
    if not len(fences.index):
        for number in numbers.tolist():
            forward.states[number].geofence_ids = []
        return []
    positions = np.flatnonzero(of_fleet[forward.device])
    rows = forward.rows[positions]
    inside = fences.index.inside(forward.columns.latitudes[rows], forward.columns.longitudes[rows])
    limits[positions], columns = derivation.applied_limits(inside, fences.limits_kph, limits[positions])
    ids = np.array(fences.index.ids, dtype=np.int64)
    limit_geofences[positions] = np.where(columns >= 0, ids[columns], -1)
    starts = derivation.first_rows(forward.device[positions])
    previous = _members([forward.states[number].geofence_ids for number in numbers.tolist()], fences.index.ids)
    crossed = fleet_transitions(inside, starts, previous, forward.columns.accuracies[rows])
    for number, members in zip(numbers.tolist(), crossed.members, strict=True):
        forward.states[number].geofence_ids = ids[members].tolist()
    return [
        (int(positions[row]), _crossing(forward, int(positions[row]), fences, int(column), bool(entered)))
        for row, column, entered in zip(crossed.rows, crossed.columns, crossed.entered, strict=True)
    ]


def _members(known_ids: list[list[int]], ids: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Membership before the batch, shape (devices, geofences); a geofence that is gone counts no more."""
    columns = {geofence_id: column for column, geofence_id in enumerate(ids)}
    members = np.zeros((len(known_ids), len(ids)), dtype=np.bool_)
    for number, inside in enumerate(known_ids):
        members[number, [columns[geofence_id] for geofence_id in inside if geofence_id in columns]] = True
    return members


def _crossing(forward: Forward, position: int, fences: FleetGeofences, column: int, entered: bool) -> Event:
    kind = EventKind.GEOFENCE_ENTER if entered else EventKind.GEOFENCE_EXIT
    speed_kph = forward.columns.speeds[forward.rows[position]]
    data: dict[str, Any] = {"geofence": fences.names[column]}
    if not np.isnan(speed_kph):
        data["speed_kph"] = round(float(speed_kph), 1)
    return forward.event(kind, position, geofence_id=fences.index.ids[column], data=data)


def _overspeed(
    forward: Forward, limits: npt.NDArray[np.float64], limit_geofences: npt.NDArray[np.int64], changes: Changes
) -> list[tuple[int, Event]]:
    """Events of the episodes that began; ends of older ones go to `changes`."""
    speeds = forward.columns.speeds[forward.rows]
    fast = np.logical_or.reduceat(is_overspeed(speeds, limits), forward.starts)
    times = forward.columns.times_seconds[forward.rows]
    found: list[tuple[int, Event]] = []
    for number, state in enumerate(forward.states):
        if not fast[number] and state.overspeed_since is None:
            continue
        start, end = int(forward.starts[number]), int(forward.lasts[number]) + 1
        result = overspeed_episodes(times[start:end], speeds[start:end], limits[start:end], _episode(state))
        current: Event | None = None
        for told in result.events:
            if isinstance(told, OverspeedStart):
                current = _episode_event(forward, start + told.index, told, limit_geofences)
                found.append((start + told.index, current))
            else:
                _end_episode(state, current, told, forward.moment(start + told.index), changes)
                current = None
        _keep_episode(state, result.state, current, changes)
    return found


def _episode(state: State) -> OverspeedState | None:
    if state.overspeed_since is None or state.overspeed_limit_kph is None:
        return None
    return OverspeedState(state.overspeed_limit_kph, state.overspeed_since, state.overspeed_peak_kph or 0.0)


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


def _end_episode(state: State, current: Event | None, told: OverspeedEnd, ended_at: datetime, changes: Changes) -> None:
    ended = {
        "peak_kph": round(told.peak_kph, 1),
        "ended_at": ended_at.isoformat(),
        "duration_seconds": round(told.duration_seconds, 1),
    }
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


def _advance_states(forward: Forward, steps: Steps) -> None:
    columns, rows, count = forward.columns, forward.rows, len(forward.states)
    meters = derivation.driven_meters(
        steps.meters[rows],
        steps.seconds[rows],
        columns.speeds[rows],
        forward.device,
        forward.starts,
        before_arrays(forward.states),
    )
    driven = derivation.sum_per_device(meters, forward.device, count)
    before = np.array(
        [-1 if state.ignition is None else int(state.ignition) for state in forward.states], dtype=np.int8
    )
    ignition = derivation.carried_ignition(columns.ignition[rows], forward.device, forward.starts, before)
    engine_seconds = derivation.engine_seconds_per_device(
        steps.seconds[rows], ignition, forward.device, forward.starts, before
    )
    lasts = forward.lasts
    _place(forward.states, columns, rows[lasts])
    figures = zip(forward.states, lasts.tolist(), ignition[lasts].tolist(), driven, engine_seconds, strict=True)
    for state, position, ignition_now, meters_driven, seconds_run in figures:
        state.fix_time = forward.moment(position)
        state.ignition = None if ignition_now < 0 else bool(ignition_now)
        state.odometer_meters += float(meters_driven)
        state.engine_seconds += float(seconds_run)


def _place(states: list[State], columns: FixColumns, rows: npt.NDArray[np.intp]) -> None:
    """Put each state at its row."""
    places = (columns.latitudes, columns.longitudes, columns.altitudes, columns.courses, columns.accuracies)
    speeds = columns.speeds[rows]
    moving = speeds > DEFAULT_RULES.moving_above_kph
    for state, row, is_moving, speed, place in zip(
        states,
        rows.tolist(),
        moving.tolist(),
        _optional(speeds),
        zip(*map(_optional, (c[rows] for c in places)), strict=True),
        strict=True,
    ):
        state.latitude, state.longitude, state.altitude_meters, state.course_degrees, state.accuracy_meters = place
        state.speed_kph, state.attributes = speed, columns.attributes[row]
        if speed is not None:
            state.is_moving = is_moving


def _optional(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
