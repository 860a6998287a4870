"""Storing fixes with all that is derived from them in one transaction: states moved forward, events published.

The fixes of several jobs are stored together, and come to the same as if each job had run alone after those before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

import numpy as np

from tasks_app.engine import current_job
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.unlocated_alarms import UnlocatedAlarm
from tasks_app.queries.fleet_geofences import geofences_of
from tasks_app.services.positions.alarm_events import command_results
from tasks_app.services.positions.batch import Batch
from tasks_app.services.positions.columns import to_columns
from tasks_app.services.positions.dirty_days import mark_dirty_days
from tasks_app.services.positions.duplicate_alarms import (
    Alarm,
    Copies,
    alarms_of_repeated,
    alarms_of_stored,
    copied_fixes,
)
from tasks_app.services.positions.filter_rules import KEEP, Reasons, own_reasons
from tasks_app.services.positions.filtered_fixes import alarms_of_filtered, count_by_reason, record_filtered
from tasks_app.services.positions.filtering import compared_reasons, filters_of
from tasks_app.services.positions.many_days import are_many_days, portions
from tasks_app.services.positions.metrics import count_outcome
from tasks_app.services.positions.newer_fixes import newer_fixes
from tasks_app.services.positions.passes import passes
from tasks_app.services.positions.rows import RowWriter, prepare_partitions
from tasks_app.services.positions.save_states import save_changes
from tasks_app.services.positions.senders import Sent, accept, operated_fleets
from tasks_app.services.positions.state_updates import derive_changes
from tasks_app.services.positions.states import LockedStates, lock_states
from tasks_app.services.positions.stored_counts import count_stored
from tasks_app.services.positions.unlocated_alarms import record_sent_alarms
from tasks_app.services.transactions import run_in_transaction

NO_ALARMS: Sent[UnlocatedAlarm] = Sent((), ())


@dataclass(frozen=True, slots=True)
class SentJob:
    """Fixes of one job and the alarms without a place that came along, all with their arrival.

    The alarms of `copies` among the fixes, and those of `unlocated`, come by themselves.
    """

    fixes: Sent[Fix]
    unlocated: Sent[UnlocatedAlarm] = NO_ALARMS
    copies: Copies = frozenset()


@dataclass(slots=True)
class StoreResult:
    """Outcome of one job: stored + duplicates + all of filtered + len(rejected) is the number of fixes."""

    stored: int = 0
    duplicates: int = 0
    # Reason -> how many a filter kept out.
    filtered: dict[str, int] = field(default_factory=dict)
    rejected: list[RejectedFix] = field(default_factory=list)
    rejected_alarms: list[RejectedFix] = field(default_factory=list)
    events: int = 0

    def add(self, portion: StoreResult, places: Sequence[int]) -> None:
        """Add the outcome of some of the fixes, those at these places."""
        self.stored += portion.stored
        self.duplicates += portion.duplicates
        self.events += portion.events
        self.filtered = dict(Counter(self.filtered) + Counter(portion.filtered))
        moved = [RejectedFix(places[one.index], one.code, one.detail) for one in portion.rejected]
        self.rejected = sorted([*self.rejected, *moved], key=lambda one: one.index)
        self.rejected_alarms += portion.rejected_alarms


def store_fixes(
    fixes: Sequence[Fix],
    received_at: datetime | Sequence[datetime],
    *,
    announce: bool = True,
    user_id: int | None = None,
    copies: Copies = frozenset(),
) -> StoreResult:
    """Store fixes and what follows from them, in one transaction (see `store_jobs`) that is repeated after a deadlock.

    A fix that is stored already (same device and time), or late, has no effect on states and events. `received_at` is
    the server's time, one for all or one per fix. What the filters of its fleet or device keep out is counted, kept with
    its reason, and not stored; its device counts as seen. An alarm of such a fix, or of a stored one that was without it, is
    recorded as an unlocated one, but not those of `copies`. With `announce=False` (history) events are recorded but not
    published, and no device counts as seen. Unknown and inactive devices are in `rejected`, with the index in `fixes`.
    """
    received = [received_at] * len(fixes) if isinstance(received_at, datetime) else list(received_at)
    allowed_fleets = None if user_id is None else operated_fleets(user_id)
    return store_jobs([SentJob(Sent(fixes, received, allowed_fleets), copies=copies)], announce=announce)[0]


def store_jobs(jobs: Sequence[SentJob], *, announce: bool = True) -> list[StoreResult]:
    """Store what came with these jobs as `store_fixes` does, all in one transaction; return the result of each.

    It comes to the same as if each had been stored after those before it. Fixes of very many days are stored job by job, in
    several transactions, earlier days first.
    """
    if are_many_days(chain.from_iterable(job.fixes.items for job in jobs)):
        return [_store_in_portions(job, announce) for job in jobs]
    return _store_together(jobs, announce)


def _store_in_portions(job: SentJob, announce: bool) -> StoreResult:
    fixes, total = job.fixes, StoreResult()
    copies = job.copies | copied_fixes(job.unlocated.items)
    found = portions(fixes.items)
    for places in found:
        some = Sent(
            [fixes.items[place] for place in places],
            [fixes.received_at[place] for place in places],
            fixes.allowed_fleets,
        )
        portion = SentJob(some, job.unlocated if places is found[-1] else NO_ALARMS, copies)
        total.add(_store_together([portion], announce)[0], places)
    return total


def _store_together(jobs: Sequence[SentJob], announce: bool) -> list[StoreResult]:
    writer = RowWriter()
    results = run_in_transaction(lambda: _store(jobs, announce, writer), should_retry=writer.should_repeat)
    stored = sum(result.stored for result in results)
    if announce:
        count_stored(stored)
    count_outcome(
        stored=stored,
        duplicates=sum(result.duplicates for result in results),
        filtered=[result.filtered for result in results],
        is_history=not announce,
    )
    return results


def _store(jobs: Sequence[SentJob], announce: bool, writer: RowWriter) -> list[StoreResult]:
    current_job().hold_lane()
    accepted = accept([job.fixes for job in jobs])
    results = [StoreResult(rejected=rejected) for rejected in accepted.rejected]
    columns = to_columns(accepted.items, accepted.pks, accepted.received_at, accepted.jobs)
    batch = Batch(columns, accepted.devices, filters_of(accepted.devices))
    reasons = own_reasons(columns, batch.filters, is_history=not announce)
    prepare_partitions(columns.times_us[reasons == KEEP])
    # All at once, in the order of their ids: two batches wait for each other instead of locking up.
    locked = lock_states(accepted.devices) if accepted.devices else LockedStates([], {})
    states = {state.device_id: state for state in locked.states}
    copies = frozenset().union(*(job.copies | copied_fixes(job.unlocated.items) for job in jobs))
    repeated = alarms_of_repeated(accepted, len(columns), copies) if announce else {}
    with_alarms = {number for number, job in enumerate(jobs) if job.unlocated.items} | repeated.keys()
    for number, (last, rows) in enumerate(passes(batch, len(jobs), with_alarms, states)):
        alarms = list(repeated.get(last, ()))
        if rows.any():
            part = batch.select(rows)
            if number:
                locked = lock_states(part.devices)
                states |= {state.device_id: state for state in locked.states}
            stored = _store_pass(part, reasons[rows], locked, results, writer, copies, announce=announce)
            alarms = stored + alarms
        # After the fixes: the place of an alarm that has none of its own may be among them.
        not_stored = Sent([one for one, _ in alarms], [received_at for _, received_at in alarms])
        recorded = record_sent_alarms([not_stored, jobs[last].unlocated])
        results[last].events += recorded.events
        results[last].rejected_alarms = recorded.rejected
    counts = np.bincount(np.array(accepted.jobs, dtype=np.intp), minlength=len(jobs)).tolist()
    for result, count in zip(results, counts, strict=True):
        result.duplicates = count - result.stored - sum(result.filtered.values())
    return results


def _store_pass(
    batch: Batch,
    reasons: Reasons,
    locked: LockedStates,
    results: Sequence[StoreResult],
    writer: RowWriter,
    copies: Copies,
    *,
    announce: bool,
) -> list[Alarm]:
    """Store fixes and move the states of their devices; return the alarms of those not stored, which are to be recorded.

    `reasons` are those of the fixes themselves. What came of each job is added to its result.
    """
    devices = batch.devices
    job_of = dict(
        zip(batch.columns.device_pks.tolist(), batch.columns.jobs[batch.columns.starts].tolist(), strict=True)
    )
    batch = batch.without(reasons).with_states(locked.states)
    batch = batch.without(compared_reasons(batch))
    new = writer.insert_new(batch.columns, batch.newer())
    mark_dirty_days(batch.columns, new, batch.devices)
    # Rows are stored as they were sent. What follows from their order is derived when they are read, since a fix that
    # comes later may lie between them; only states and events, which go forward, are derived at once.
    forward = newer_fixes(batch, new)
    changes = derive_changes(forward, geofences_of({device.fleet_id for device in forward.devices}))
    changes.add(*command_results(batch.columns, new))
    heard_us = batch.heard_us(new)
    for device_pk, received_us in record_filtered(batch.filtered):
        heard_us[device_pk] = max(received_us, heard_us.get(device_pk, 0))
    back = save_changes(changes, locked, devices, heard_us, announce=announce)
    for job in [*changes.jobs, *(job_of[event.device_id] for event in back)]:
        results[job].events += 1
    for job, count in enumerate(np.bincount(batch.columns.jobs[new]).tolist()):
        results[job].stored += count
    for job, filtered in count_by_reason(batch.filtered).items():
        results[job].filtered = filtered
    if not announce:
        return []
    return alarms_of_filtered(batch.filtered, devices) + alarms_of_stored(batch.columns, new, devices, copies)
