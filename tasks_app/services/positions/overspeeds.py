"""Overspeed episodes in a batch: their events, and what the states keep of those that go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tasks_app.geo.believable import is_refuted
from tasks_app.geo.overspeed import OverspeedEnd, OverspeedStart, OverspeedState, is_overspeed, overspeed_episodes
from tasks_app.models import EventKind
from tasks_app.queries.fleet_geofences import FleetGeofences
from tasks_app.services.positions.derivation import FloatArray
from tasks_app.services.positions.geofence_crossings import SpeedLimits
from tasks_app.services.positions.newer_fixes import EventDraft, Forward
from tasks_app.services.positions.states import State

# Where an episode began: latitude, longitude and, if its limit is one's, the geofence_id.
Began = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Overspeeds:
    """Events of overspeed episodes, and what those lack that an earlier batch stored, by their ids."""

    drafts: list[EventDraft] = field(default_factory=list)
    ended_episodes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)


def find_overspeeds(forward: Forward, limits: SpeedLimits, geofences: Mapping[int, FleetGeofences]) -> Overspeeds:
    """The episodes that began and ended; the states keep those that go on. `geofences` are by fleet."""
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
        begun: EventDraft | None = None
        for change in result.events:
            position = start + change.index
            if isinstance(change, OverspeedStart):
                began = _where(forward, limits, start, change.began_index) or state.overspeed_began or {}
                begun = _begin_episode(position, change, began, geofences[device.fleet_id])
                overspeeds.drafts.append(begun)
            else:
                overspeeds.ended_episodes.extend(_end_episode(state, begun, change))
                overspeeds.drafts.append(_end_draft(forward, position, change))
                begun = None
        goes_on = result.state
        _keep_episode(state, goes_on, _where(forward, limits, start, goes_on.began_index) if goes_on else None)
    return overspeeds


def _believable(forward: Forward) -> FloatArray:
    """The speeds to compare with limits: no single glitch of a receiver is an overspeed, or the peak of one.

    NaN where a sent one is more than the kind reaches, or than the way from the fix before allows.
    """
    speeds_kph, steps, rules = forward.speeds_kph, forward.steps, forward.rules
    is_sent = ~np.isnan(forward.columns.speeds[forward.rows])
    radius_meters, max_kph = rules.standing_radius_meters[forward.device], rules.max_implied_kph[forward.device]
    refuted = is_refuted(speeds_kph, steps.seconds, steps.meters, radius_meters) & ~np.isnan(steps.speeds_kph)
    return np.where(is_sent & (refuted | (speeds_kph > max_kph)), np.nan, speeds_kph)


def _episode(state: State) -> OverspeedState | None:
    if state.overspeed_since is None or state.overspeed_limit_kph is None:
        return None
    # An episode without an event is still too short.
    is_recorded = state.overspeed_event_id is not None
    return OverspeedState(
        state.overspeed_limit_kph, state.overspeed_since, state.overspeed_peak_kph or 0.0, is_recorded
    )


def _where(forward: Forward, limits: SpeedLimits, start: int, index: int) -> Began | None:
    """Where the fix `index` of a device was whose first row is `start`, and the geofence whose limit is in force there;
    None for a fix of an earlier batch."""
    if index < 0:
        return None
    row, geofence_id = forward.rows[start + index], int(limits.geofence_ids[start + index])
    columns = forward.columns
    place = {"latitude": float(columns.latitudes[row]), "longitude": float(columns.longitudes[row])}
    return place if geofence_id < 0 else {**place, "geofence_id": geofence_id}


def _begin_episode(position: int, start: OverspeedStart, began: Began, fences: FleetGeofences) -> EventDraft:
    """The event of the place and the geofence it began in, unless that was deleted since."""
    geofence_id = began.get("geofence_id")
    return EventDraft(
        position,
        EventKind.OVERSPEED,
        {"speed_kph": round(start.speed_kph, 1), "speed_limit_kph": start.limit_kph},
        start.started_at,
        (began["latitude"], began["longitude"]) if began else None,
        geofence_id if geofence_id in fences.index.ids else None,
    )


def _end_draft(forward: Forward, position: int, end: OverspeedEnd) -> EventDraft:
    """After a silence the episode ended at the last fix before it, not where the device was heard of again."""
    is_earlier = end.ended_at.timestamp() < forward.columns.times_seconds[forward.rows[position]]
    place = _place_before(forward, position) if is_earlier else None
    return EventDraft(position, EventKind.OVERSPEED_END, end_event_data(end), end.ended_at, place)


def _place_before(forward: Forward, position: int) -> tuple[float | None, float | None]:
    """Where the device was at its fix before this row."""
    number = int(forward.device[position])
    if position == forward.starts[number]:
        return forward.states[number].latitude, forward.states[number].longitude
    row = forward.rows[position - 1]
    return float(forward.columns.latitudes[row]), float(forward.columns.longitudes[row])


def _end_episode(state: State, begun: EventDraft | None, end: OverspeedEnd) -> list[tuple[int, dict[str, Any]]]:
    """Complete the event of the episode; return its id and what it lacks where it was stored by an earlier batch."""
    ended = episode_end(end)
    if begun is not None:
        begun.data.update(ended)
        return []
    event_id, state.overspeed_event_id = state.overspeed_event_id, None
    return [] if event_id is None else [(event_id, ended)]


def _keep_episode(state: State, episode: OverspeedState | None, began: Began | None) -> None:
    is_waiting = episode is not None and not episode.announced
    state.overspeed_began = (began or state.overspeed_began) if is_waiting else None
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
