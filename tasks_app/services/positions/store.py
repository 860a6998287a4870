"""Storing fixes with all that is derived from them in one transaction: states moved forward, events published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.json_batch import parse_batch
from tasks_app.ingest.unlocated_alarms import UnlocatedAlarm
from tasks_app.queries.fleet_geofences import geofences_of
from tasks_app.services.positions.alarm_events import command_results
from tasks_app.services.positions.batch import Batch
from tasks_app.services.positions.columns import to_columns
from tasks_app.services.positions.dirty_days import mark_dirty_days
from tasks_app.services.positions.filter_rules import own_reasons
from tasks_app.services.positions.filtered_fixes import alarms_of_filtered, count_by_reason, record_filtered
from tasks_app.services.positions.filtering import compared_reasons, filters_of
from tasks_app.services.positions.newer_fixes import newer_fixes
from tasks_app.services.positions.rows import insert_new, is_missing_partition, prepare_partitions
from tasks_app.services.positions.save_states import save_changes
from tasks_app.services.positions.senders import accept, operated_fleets
from tasks_app.services.positions.state_updates import derive_changes
from tasks_app.services.positions.states import lock_states
from tasks_app.services.positions.unknown_quantities import BATCH, count_unknown
from tasks_app.services.positions.unlocated_alarms import record_unlocated_alarms
from tasks_app.services.transactions import run_in_transaction

# A job's result has a size limit, and nobody reads more reasons than these.
MAX_LISTED = 500


@dataclass(slots=True)
class StoreResult:
    """Outcome of one call: stored + duplicates + all of filtered + len(rejected) is the number of fixes."""

    stored: int = 0
    duplicates: int = 0
    # Reason -> how many a filter kept out.
    filtered: dict[str, int] = field(default_factory=dict)
    rejected: list[RejectedFix] = field(default_factory=list)
    events: int = 0
    # What filtered fixes tell all the same, with when it was received.
    filtered_alarms: list[tuple[UnlocatedAlarm, datetime]] = field(default_factory=list)


def process_batch(items: list[Any], *, received_at: datetime, user_id: int | None = None) -> dict[str, Any]:
    """Store a batch of positions in the product's JSON; one bad position never costs a good one.

    With `user_id` only devices this user may operate are accepted, others are unknown to them. Returns `{"received",
    "stored", "duplicates", "filtered": {reason: count}, "without_place" (alarms), "unknown_quantities": {quantity: count},
    "rejected_count", "rejected": [{"index", "code", "detail"}] (the first 500), "events"}`.
    """
    parsed = parse_batch(items, now=received_at)
    result = store_fixes(parsed.fixes, received_at, user_id=user_id)
    # After the fixes: the place of an alarm that has none of its own may be among them.
    unlocated = record_unlocated_alarms(list(parsed.unlocated.values()), received_at, user_id=user_id)
    refused = [RejectedFix(parsed.indexes[r.index], r.code, r.detail) for r in result.rejected]
    unlocated_indexes = list(parsed.unlocated)
    refused += [RejectedFix(unlocated_indexes[r.index], r.code, r.detail) for r in unlocated.rejected]
    rejected = sorted([*parsed.rejected, *refused], key=lambda one: one.index)
    return {
        "received": len(items),
        "stored": result.stored,
        "duplicates": result.duplicates,
        "filtered": result.filtered,
        "without_place": len(parsed.unlocated) - len(unlocated.rejected),
        "unknown_quantities": count_unknown(parsed.fixes, BATCH),
        "rejected_count": len(rejected),
        "rejected": [{"index": r.index, "code": r.code, "detail": r.detail} for r in rejected[:MAX_LISTED]],
        "events": result.events + unlocated.events,
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
    its reason, and not stored; its device counts as seen, and an alarm it carries is recorded as an unlocated one (in a
    transaction of its own). With `announce=False` (history) events are recorded but not published, and no device counts as
    seen. Unknown and inactive devices are in `rejected`, with the index in `fixes`.
    """
    received = [received_at] * len(fixes) if isinstance(received_at, datetime) else list(received_at)
    allowed_fleets = None if user_id is None else operated_fleets(user_id)

    def work() -> StoreResult:
        return _store(fixes, received, announce, allowed_fleets)

    result = run_in_transaction(work, should_retry=is_missing_partition)
    unlocated = [one for one, _ in result.filtered_alarms]
    result.events += record_unlocated_alarms(
        unlocated, [at for _, at in result.filtered_alarms], user_id=user_id
    ).events
    return result


def _store(
    fixes: Sequence[Fix], received: list[datetime], announce: bool, allowed_fleets: set[int] | None
) -> StoreResult:
    accepted = accept(fixes, received, allowed_fleets)
    result = StoreResult(rejected=accepted.rejected)
    if not accepted.items:
        return result
    columns = to_columns(accepted.items, accepted.pks, accepted.received_at)
    filters = filters_of(accepted.devices)
    reasons = own_reasons(columns, filters, is_history=not announce)
    batch = Batch(columns, accepted.devices, filters).without(reasons)
    prepare_partitions(batch.columns.times_us)
    locked = lock_states(accepted.devices)
    batch = batch.with_states(locked.states)
    batch = batch.without(compared_reasons(batch))
    new = insert_new(batch.columns)
    mark_dirty_days(batch.columns, new, batch.devices)
    # Rows are stored as they were sent. What follows from their order is derived when they are read, since a fix that
    # comes later may lie between them; only states and events, which go forward, are derived at once.
    forward = newer_fixes(batch, new)
    changes = derive_changes(forward, geofences_of({device.fleet_id for device in forward.devices}))
    changes.events += command_results(batch.columns, new)
    heard_us = batch.heard_us(new)
    for device_pk, received_us in record_filtered(batch.filtered):
        heard_us[device_pk] = max(received_us, heard_us.get(device_pk, 0))
    result.stored, result.filtered = int(new.sum()), count_by_reason(batch.filtered)
    result.duplicates = len(accepted.items) - result.stored - sum(result.filtered.values())
    result.filtered_alarms = alarms_of_filtered(batch.filtered, accepted.devices) if announce else []
    result.events = save_changes(changes, locked, accepted.devices, heard_us, announce=announce)
    return result
