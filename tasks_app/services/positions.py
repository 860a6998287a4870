"""Fixes in, everything that follows from them in one transaction: stored once, states moved forward, events told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from django.contrib.auth import get_user_model
from django.db import transaction

from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.json_batch import parse_batch
from tasks_app.ingest.validate import shown
from tasks_app.models import DeviceStatus, Event, EventKind, FleetRole
from tasks_app.queries.access import visible_fleets
from tasks_app.services import broadcast, derivation, device_states
from tasks_app.services.device_states import KnownDevice, State
from tasks_app.services.dirty_days import mark_dirty_days
from tasks_app.services.event_rows import complete_episodes, insert_events
from tasks_app.services.filter_rules import FilterRules, own_reasons
from tasks_app.services.filters import (
    FilteredPart,
    compared_reasons,
    count_by_reason,
    record_filtered,
    rules_of,
    take_out,
)
from tasks_app.services.fix_columns import FixColumns, IntArray, to_columns
from tasks_app.services.fleet_geofences import geofences_of
from tasks_app.services.forward_rows import Changes, forward_rows
from tasks_app.services.live_changes import derive_changes
from tasks_app.services.position_cache import invalidate_latest_positions
from tasks_app.services.position_rows import (
    StoredFix,
    fixes_before,
    insert_new,
    is_missing_partition,
    prepare_partitions,
    stored_arrays,
)
from tasks_app.services.transactions import run_in_transaction
from tasks_app.signals import events_recorded

# A job's result has a size limit, and nobody reads more reasons than these.
MAX_LISTED = 500


@dataclass(slots=True)
class StoreResult:
    """What became of the fixes of one call: stored + doubled + all of filtered + len(rejected) is their number."""

    stored: int = 0
    doubled: int = 0
    # Reason -> how many a filter kept out.
    filtered: dict[str, int] = field(default_factory=dict)
    rejected: list[RejectedFix] = field(default_factory=list)
    events: int = 0


@dataclass(slots=True)
class _Accepted:
    """Fixes of devices that may send, the devices by primary key ascending."""

    fixes: list[Fix]
    pks: list[int]
    received_at: list[datetime]
    devices: list[KnownDevice]
    rejected: list[RejectedFix]


def process_batch(items: list[Any], *, received_at: datetime, user_id: int | None = None) -> dict[str, Any]:
    """Store a batch of positions in the product's JSON; one bad position never costs a good one.

    With `user_id` only devices this user may operate are accepted, others are unknown to them. Returns `{"received",
    "stored", "doubled", "filtered": {reason: count}, "rejected_count", "rejected": [{"index", "code", "detail"}] (the
    first 500), "events"}`.
    """
    parsed = parse_batch(items, now=received_at)
    result = store_fixes(parsed.fixes, received_at, user_id=user_id)
    refused = [RejectedFix(parsed.indexes[r.index], r.code, r.detail) for r in result.rejected]
    rejected = sorted([*parsed.rejected, *refused], key=lambda one: one.index)
    return {
        "received": len(items),
        "stored": result.stored,
        "doubled": result.doubled,
        "filtered": result.filtered,
        "rejected_count": len(rejected),
        "rejected": [{"index": r.index, "code": r.code, "detail": r.detail} for r in rejected[:MAX_LISTED]],
        "events": result.events,
    }


def store_fixes(
    fixes: Sequence[Fix],
    received_at: datetime | Sequence[datetime],
    *,
    announce: bool = True,
    user_id: int | None = None,
) -> StoreResult:
    """Store fixes and what follows from them, in one transaction that is repeated after a deadlock.

    A fix that is stored already (same device and time), or late, has no effect on states and events. `received_at` is
    the server's time, one for all or one per fix. What the filters of its fleet or device keep out is counted, kept with
    its reason, and not stored; its device counts as seen. With `announce=False` (history) events are recorded but nobody is
    told, and no device counts as seen. Unknown and inactive devices are in `rejected`, with the index in `fixes`.
    """
    received = [received_at] * len(fixes) if isinstance(received_at, datetime) else list(received_at)
    operated_fleets = None if user_id is None else _operated_fleets(user_id)

    def work() -> StoreResult:
        return _store(fixes, received, announce, operated_fleets)

    return run_in_transaction(work, should_retry=is_missing_partition)


def _operated_fleets(user_id: int) -> set[int]:
    user = get_user_model().objects.filter(pk=user_id, is_active=True).first()
    return set() if user is None else set(visible_fleets(user, FleetRole.OPERATOR).values_list("pk", flat=True))


def _store(
    fixes: Sequence[Fix], received: list[datetime], announce: bool, operated_fleets: set[int] | None
) -> StoreResult:
    accepted = _accept(fixes, received, operated_fleets)
    result = StoreResult(rejected=accepted.rejected)
    if not accepted.fixes:
        return result
    everything = to_columns(accepted.fixes, accepted.pks, accepted.received_at)
    rules = rules_of(accepted.devices)
    out: list[FilteredPart] = []
    columns = take_out(everything, own_reasons(everything, rules, is_history=not announce), out)
    prepare_partitions(columns.times_us)
    locked = device_states.lock_states(accepted.devices)
    states = locked.states
    earlier = _fixes_before_late_ones(columns, everything.device_pks, rules, states)
    columns = take_out(columns, compared_reasons(columns, everything.device_pks, rules, states, earlier), out)
    new, changes = _insert_and_derive(columns, everything.device_pks, states, accepted.devices, earlier)
    heard_us = _heard_us(everything.device_pks, columns, new, record_filtered(out))
    result.stored, result.filtered = int(new.sum()), count_by_reason(out)
    result.doubled = len(accepted.fixes) - result.stored - sum(result.filtered.values())
    touched = [state for state, moment_us in zip(states, heard_us.tolist(), strict=True) if moment_us]
    if announce:
        changes.events = _seen(heard_us, states) + changes.events
    result.events = len(changes.events)
    _save(changes, touched, locked.settled, announce)
    fleet_of = {device.pk: device.fleet_id for device in accepted.devices}
    told = changes.events if announce else []
    transaction.on_commit(lambda: broadcast.announce(touched, told, fleet_of), robust=True)
    return result


def _fixes_before_late_ones(
    columns: FixColumns, all_pks: IntArray, rules: Sequence[FilterRules], states: Sequence[State]
) -> dict[int, StoredFix]:
    """By device, the stored fix before its first one, where that one is late and has to be compared with it."""
    numbers = np.searchsorted(all_pks, columns.device_pks)
    known = device_states.before_arrays(states).times[numbers]
    firsts = columns.starts
    lacks = np.isnan(columns.speeds[firsts]) | np.isnan(columns.courses[firsts])
    compares = np.array([rule.compares for rule in rules], dtype=np.bool_)[numbers]
    is_late = columns.times_seconds[firsts] <= known
    return fixes_before(columns, np.flatnonzero(is_late & (lacks | compares)))


def _insert_and_derive(
    columns: FixColumns,
    all_pks: IntArray,
    all_states: Sequence[State],
    all_devices: Sequence[KnownDevice],
    earlier: dict[int, StoredFix],
) -> tuple[npt.NDArray[np.bool_], Changes]:
    """Store what is new and move the states; which rows were new, and what happened."""
    numbers = np.searchsorted(all_pks, columns.device_pks).tolist()
    states, devices = [all_states[n] for n in numbers], [all_devices[n] for n in numbers]
    if not numbers:
        return np.zeros(0, dtype=np.bool_), Changes()
    before = device_states.before_arrays(states)
    steps = derivation.steps(
        columns.times_seconds,
        columns.latitudes,
        columns.longitudes,
        columns.device,
        columns.starts,
        before,
        stored_arrays(columns.device_pks, earlier),
    )
    columns.speeds = derivation.filled_speeds(columns.speeds, steps.speeds_kph)
    columns.courses = derivation.filled_courses(columns.courses, steps, columns.latitudes, columns.longitudes)
    new = insert_new(columns)
    if not new.any():
        return new, Changes()
    mark_dirty_days(columns, new, devices)
    forward = forward_rows(columns, new, states, devices, before.times)
    return new, derive_changes(forward, steps, geofences_of({device.fleet_id for device in forward.devices}))


def _heard_us(
    all_pks: IntArray, columns: FixColumns, new: npt.NDArray[np.bool_], filtered: npt.NDArray[np.int64]
) -> IntArray:
    """When each device was last heard of, in microseconds, shape (len(all_pks),); 0 where nothing new came of it."""
    heard_us = np.zeros(len(all_pks), dtype=np.int64)
    numbers = np.searchsorted(all_pks, columns.device_pks)
    np.maximum.at(heard_us, numbers[columns.device[new]], columns.received_us[new])
    np.maximum.at(heard_us, np.searchsorted(all_pks, filtered[:, 0]), filtered[:, 1])
    return heard_us


def _accept(fixes: Sequence[Fix], received: list[datetime], operated_fleets: set[int] | None) -> _Accepted:
    known = device_states.find_devices({fix.device_id for fix in fixes})
    if operated_fleets is not None:
        known = {unique_id: device for unique_id, device in known.items() if device.fleet_id in operated_fleets}
    active = {unique_id: device.pk for unique_id, device in known.items() if device.is_active}
    devices = sorted((device for device in known.values() if device.is_active), key=lambda device: device.pk)
    pks = [active.get(fix.device_id) for fix in fixes]
    if None not in pks:
        return _Accepted(list(fixes), cast(list[int], pks), received, devices, [])
    accepted = _Accepted([], [], [], devices, [])
    for index, (fix, pk) in enumerate(zip(fixes, pks, strict=True)):
        if pk is None:
            accepted.rejected.append(_refusal(index, fix, known.get(fix.device_id)))
            continue
        accepted.fixes.append(fix)
        accepted.pks.append(pk)
        accepted.received_at.append(received[index])
    return accepted


def _refusal(index: int, fix: Fix, device: KnownDevice | None) -> RejectedFix:
    if device is None:
        return RejectedFix(index, "unknown_device", f"No device has the id {shown(fix.device_id)}.")
    return RejectedFix(index, "inactive_device", f"The device {shown(fix.device_id)} is not active.")


def _seen(heard_us: IntArray, states: list[State]) -> list[Event]:
    """Devices that sent something new are online; the ones that were offline get an event of being back."""
    back: list[Event] = []
    for state, seen_us in zip(states, heard_us.tolist(), strict=True):
        if not seen_us:
            continue
        seen_at = device_states.from_microseconds(seen_us)
        if state.status == DeviceStatus.OFFLINE:
            back.append(_back_online(state, seen_at))
        state.status, state.offline_since = DeviceStatus.ONLINE.value, None
        state.last_seen_at = max(state.last_seen_at, seen_at) if state.last_seen_at else seen_at
    return back


def _back_online(state: State, seen_at: datetime) -> Event:
    data = {}
    if state.offline_since is not None:
        data["offline_minutes"] = round((seen_at - state.offline_since).total_seconds() / 60, 1)
    place = {"latitude": state.latitude, "longitude": state.longitude}
    return Event(device_id=state.device_id, kind=EventKind.DEVICE_ONLINE, occurred_at=seen_at, data=data, **place)


def _save(changes: Changes, touched: list[State], settled: Mapping[int, tuple[Any, ...]], announce: bool) -> None:
    insert_events(changes.events)
    for state, event in changes.open_episodes:
        state.overspeed_event_id = event.pk
    complete_episodes(changes.ended_episodes)
    device_states.save_states(touched, settled)
    invalidate_latest_positions(touched)
    if changes.events and announce:
        events_recorded.send(sender=Event, events=changes.events)
