"""Fixes in, everything that follows from them in one transaction: stored once, states moved forward, events told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.json_batch import parse_batch
from tasks_app.ingest.placeless import PlacelessNews
from tasks_app.queries.fleet_geofences import geofences_of
from tasks_app.services.positions import derivation
from tasks_app.services.positions.alarm_events import command_results
from tasks_app.services.positions.columns import FixColumns, IntArray, to_columns
from tasks_app.services.positions.dirty_days import mark_dirty_days
from tasks_app.services.positions.filter_rules import FilterRules, own_reasons
from tasks_app.services.positions.filtering import (
    FilteredPart,
    compared_reasons,
    count_by_reason,
    news_of_filtered,
    record_filtered,
    rules_of,
    take_out,
)
from tasks_app.services.positions.newer_fixes import Changes, forward_rows
from tasks_app.services.positions.rows import (
    StoredFix,
    fixes_before,
    insert_new,
    is_missing_partition,
    prepare_partitions,
)
from tasks_app.services.positions.save_states import save_changes
from tasks_app.services.positions.senders import accept, operated_fleets
from tasks_app.services.positions.state_updates import derive_changes
from tasks_app.services.positions.states import KnownDevice, State, before_arrays, lock_states
from tasks_app.services.positions.unknown_quantities import BATCH, count_unknown
from tasks_app.services.positions.unlocated_alarms import record_news
from tasks_app.services.transactions import run_in_transaction

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
    # What filtered fixes tell all the same, with when it was received.
    filtered_news: list[tuple[PlacelessNews, datetime]] = field(default_factory=list)


def process_batch(items: list[Any], *, received_at: datetime, user_id: int | None = None) -> dict[str, Any]:
    """Store a batch of positions in the product's JSON; one bad position never costs a good one.

    With `user_id` only devices this user may operate are accepted, others are unknown to them. Returns `{"received",
    "stored", "doubled", "filtered": {reason: count}, "without_place" (alarms), "unknown_quantities": {quantity: count},
    "rejected_count", "rejected": [{"index", "code", "detail"}] (the first 500), "events"}`.
    """
    parsed = parse_batch(items, now=received_at)
    result = store_fixes(parsed.fixes, received_at, user_id=user_id)
    # After the fixes: the place of an alarm that has none of its own may be among them.
    news = record_news(list(parsed.news.values()), received_at, user_id=user_id)
    refused = [RejectedFix(parsed.indexes[r.index], r.code, r.detail) for r in result.rejected]
    news_indexes = list(parsed.news)
    refused += [RejectedFix(news_indexes[r.index], r.code, r.detail) for r in news.rejected]
    rejected = sorted([*parsed.rejected, *refused], key=lambda one: one.index)
    return {
        "received": len(items),
        "stored": result.stored,
        "doubled": result.doubled,
        "filtered": result.filtered,
        "without_place": len(parsed.news) - len(news.rejected),
        "unknown_quantities": count_unknown(parsed.fixes, BATCH),
        "rejected_count": len(rejected),
        "rejected": [{"index": r.index, "code": r.code, "detail": r.detail} for r in rejected[:MAX_LISTED]],
        "events": result.events + news.events,
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
    its reason, and not stored; its device counts as seen, and an alarm it carries is told as one without a place (in a
    transaction of its own). With `announce=False` (history) events are recorded but nobody is told, and no device counts as
    seen. Unknown and inactive devices are in `rejected`, with the index in `fixes`.
    """
    received = [received_at] * len(fixes) if isinstance(received_at, datetime) else list(received_at)
    allowed_fleets = None if user_id is None else operated_fleets(user_id)

    def work() -> StoreResult:
        return _store(fixes, received, announce, allowed_fleets)

    result = run_in_transaction(work, should_retry=is_missing_partition)
    news = [one for one, _ in result.filtered_news]
    result.events += record_news(news, [moment for _, moment in result.filtered_news], user_id=user_id).events
    return result


def _store(
    fixes: Sequence[Fix], received: list[datetime], announce: bool, allowed_fleets: set[int] | None
) -> StoreResult:
    accepted = accept(fixes, received, allowed_fleets)
    result = StoreResult(rejected=accepted.rejected)
    if not accepted.items:
        return result
    everything = to_columns(accepted.items, accepted.pks, accepted.received_at)
    rules = rules_of(accepted.devices)
    out: list[FilteredPart] = []
    columns = take_out(everything, own_reasons(everything, rules, is_history=not announce), out)
    prepare_partitions(columns.times_us)
    locked = lock_states(accepted.devices)
    states = locked.states
    earlier = _fixes_before_late_ones(columns, everything.device_pks, rules, states)
    reasons = compared_reasons(columns, everything.device_pks, rules, accepted.devices, states, earlier)
    columns = take_out(columns, reasons, out)
    new, changes = _insert_and_derive(columns, everything.device_pks, states, accepted.devices)
    heard_us = _heard_us(everything.device_pks, columns, new, record_filtered(out))
    result.stored, result.filtered = int(new.sum()), count_by_reason(out)
    result.doubled = len(accepted.items) - result.stored - sum(result.filtered.values())
    result.filtered_news = news_of_filtered(out, accepted.devices) if announce else []
    result.events = save_changes(changes, locked, accepted.devices, heard_us, announce=announce)
    return result


def _fixes_before_late_ones(
    columns: FixColumns, all_pks: IntArray, rules: Sequence[FilterRules], states: Sequence[State]
) -> dict[int, StoredFix]:
    """By device, the stored fix before its first one, where that one is late and has to be compared with it."""
    numbers = np.searchsorted(all_pks, columns.device_pks)
    known = before_arrays(states).times[numbers]
    firsts = columns.starts
    compares = np.array([rule.compares for rule in rules], dtype=np.bool_)[numbers]
    is_late = columns.times_seconds[firsts] <= known
    return fixes_before(columns, np.flatnonzero(is_late & compares))


def _insert_and_derive(
    columns: FixColumns,
    all_pks: IntArray,
    all_states: Sequence[State],
    all_devices: Sequence[KnownDevice],
) -> tuple[npt.NDArray[np.bool_], Changes]:
    """Store what is new and move the states; which rows were new, and what happened.

    Rows are stored as they were sent. What follows from their order is derived when they are read, since a fix that
    comes later may lie between them; only states and events, which go forward, are derived at once.
    """
    numbers = np.searchsorted(all_pks, columns.device_pks).tolist()
    states, devices = [all_states[n] for n in numbers], [all_devices[n] for n in numbers]
    if not numbers:
        return np.zeros(0, dtype=np.bool_), Changes()
    before = before_arrays(states)
    steps = derivation.steps(
        columns.times_seconds,
        columns.latitudes,
        columns.longitudes,
        columns.device,
        columns.starts,
        before,
        derivation.rules_of([device.kind for device in devices]),
    )
    new = insert_new(columns)
    if not new.any():
        return new, Changes()
    mark_dirty_days(columns, new, devices)
    forward = forward_rows(columns, new, states, devices, before.times)
    changes = derive_changes(forward, steps, geofences_of({device.fleet_id for device in forward.devices}))
    changes.events += command_results(columns, new)
    return new, changes


def _heard_us(
    all_pks: IntArray, columns: FixColumns, new: npt.NDArray[np.bool_], filtered: npt.NDArray[np.int64]
) -> IntArray:
    """When each device was last heard of, in microseconds, shape (len(all_pks),); 0 where nothing new came of it."""
    heard_us = np.zeros(len(all_pks), dtype=np.int64)
    numbers = np.searchsorted(all_pks, columns.device_pks)
    np.maximum.at(heard_us, numbers[columns.device[new]], columns.received_us[new])
    np.maximum.at(heard_us, np.searchsorted(all_pks, filtered[:, 0]), filtered[:, 1])
    return heard_us
