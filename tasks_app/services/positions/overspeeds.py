"""Overspeed episodes in a batch: their events, and what the states keep of those that go on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tasks_app.geo.overspeed import OverspeedEnd, OverspeedStart, OverspeedState, is_overspeed, overspeed_episodes
from tasks_app.models import Event, EventKind
from tasks_app.services.positions import derivation
from tasks_app.services.positions.derivation import FloatArray
from tasks_app.services.positions.geofence_crossings import SpeedLimits
from tasks_app.services.positions.newer_fixes import Forward, Found
from tasks_app.services.positions.states import State


@dataclass(frozen=True, slots=True)
class Overspeeds:
    """Events of overspeed episodes, with the rows at which they were noticed, and the other two lists of `Changes`."""

    found: Found = field(default_factory=list)
    ended_episodes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    open_episodes: list[tuple[State, Event]] = field(default_factory=list)


def find_overspeeds(forward: Forward, limits: SpeedLimits) -> Overspeeds:
    """The episodes that began and ended; the states keep those that go on."""
    speeds = _believable(forward)
    tolerances = np.array([device.overspeed_tolerance_kph for device in forward.devices], dtype=np.float64)
    is_fast = is_overspeed(speeds, limits.limits_kph, tolerances[forward.device])
    fast = np.logical_or.reduceat(is_fast, forward.starts)
    times = forward.columns.times_seconds[forward.rows]
    overspeeds = Overspeeds()
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


def _believable(forward: Forward) -> FloatArray:
    """The speeds to compare with limits: no single glitch of a receiver is an overspeed, or the peak of one."""
    is_sent = ~np.isnan(forward.columns.speeds[forward.rows])
    return derivation.believable_speeds(forward.speeds_kph, is_sent, forward.steps, forward.device, forward.rules)


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


def episode_end(end: OverspeedEnd) -> dict[str, Any]:
    """Data added to an overspeed event when its episode is over."""
    return {
        "peak_kph": round(end.peak_kph, 1),
        "ended_at": end.ended_at.isoformat(),
        "duration_seconds": round(end.duration_seconds, 1),
    }


def end_event_data(end: OverspeedEnd) -> dict[str, Any]:
    """The data of the event of an episode's end."""
    return {
        "speed_limit_kph": end.limit_kph,
        "peak_kph": round(end.peak_kph, 1),
        "started_at": end.started_at.isoformat(),
        "duration_seconds": round(end.duration_seconds, 1),
    }
