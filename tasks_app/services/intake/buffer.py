"""Buffer of single fixes and unlocated alarms: phones send one at a time, the pipeline is quickest with many at once.

An entry is deleted after it is stored. A crash in between, or two drains at once, store nothing twice: the pipeline keeps
each (device, time) once. The keys are described in `queries.position_buffer`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import msgspec

from tasks_app.engine import QueueFull, current_job, get_task
from tasks_app.engine.connection import client
from tasks_app.exceptions import BufferFull
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.unlocated_alarms import UnlocatedAlarm
from tasks_app.models import FixSource
from tasks_app.queries.position_buffer import MAX_BUFFERED_FIXES, buffer_key, drain_key
from tasks_app.redis_scripts import script
from tasks_app.services.intake.quarantine import QuarantineEntry, quarantine_entries
from tasks_app.services.positions import StoreResult, record_unlocated_alarms, store_fixes

logger = logging.getLogger(__name__)

FIXES_PER_ROUND = 5000
DRAIN_AFTER_SECONDS = 1.0
# The scheduled drain comes sooner; this only lets a note whose writer died before it enqueued anything lapse.
DRAIN_NOTE_MS = 60_000
_DRAIN_TASK = "drain_position_inbox"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A fix or an unlocated alarm, with the time of its arrival."""

    received_at: datetime
    fix: Fix | None = None
    unlocated: UnlocatedAlarm | None = None


_decoder = msgspec.json.Decoder(_Entry)


def add_to_buffer(fixes: Sequence[Fix], unlocated: Sequence[UnlocatedAlarm] = (), *, received_at: datetime) -> None:
    """Add these to the buffer; a drain follows within a second. Raises BufferFull, redis.RedisError."""
    if not fixes and not unlocated:
        return
    entries = [msgspec.json.encode(_Entry(received_at, fix=fix)) for fix in fixes]
    entries += [msgspec.json.encode(_Entry(received_at, unlocated=one)) for one in unlocated]
    added = script(client(), "add_to_buffer")(
        [buffer_key(), drain_key()], [MAX_BUFFERED_FIXES, DRAIN_NOTE_MS, *entries]
    )
    if added < 0:
        raise BufferFull(f"The position buffer holds {MAX_BUFFERED_FIXES} fixes.")
    if added:
        _ask_for_drain()


def _ask_for_drain() -> None:
    try:
        get_task(_DRAIN_TASK).apply_async(countdown=DRAIN_AFTER_SECONDS)
    except QueueFull as error:
        # The fixes are in: the schedule drains them, and the next to add one tries again.
        client().delete(drain_key())
        logger.warning("No drain of the position buffer could be enqueued: %s", error)


def drain_buffer() -> dict[str, int]:
    """Store the buffered fixes in rounds of 5 000 and remove them; return counts by outcome."""
    names = ("read", "stored", "duplicates", "filtered", "without_place", "rejected", "events")
    totals = dict.fromkeys(names, 0)
    client().delete(drain_key())
    for _ in range(MAX_BUFFERED_FIXES // FIXES_PER_ROUND):
        current_job().raise_if_cancelled()
        read = _drain_round(totals)
        if read < FIXES_PER_ROUND:
            return totals
    _ask_for_drain()
    return totals


def _drain_round(totals: dict[str, int]) -> int:
    entries = cast(list[tuple[bytes, dict[bytes, bytes]]], client().xrange(buffer_key(), count=FIXES_PER_ROUND))
    if not entries:
        return 0
    readable = [entry for _, fields in entries if (entry := _read(fields)) is not None]
    fixes = [(entry.fix, entry.received_at) for entry in readable if entry.fix]
    unlocated = [(entry.unlocated, entry.received_at) for entry in readable if entry.unlocated]
    # The fixes first: the place of an unlocated alarm may be among them.
    stored = store_fixes([fix for fix, _ in fixes], [received_at for _, received_at in fixes])
    recorded = record_unlocated_alarms([one for one, _ in unlocated], [received_at for _, received_at in unlocated])
    _keep_refused(fixes, stored.rejected)
    _keep_refused(unlocated, recorded.rejected)
    client().xdel(buffer_key(), *(entry_id for entry_id, _ in entries))
    _count(totals, stored)
    totals["read"] += len(entries)
    totals["without_place"] += len(unlocated) - len(recorded.rejected)
    totals["rejected"] += len(entries) - len(readable) + len(recorded.rejected)
    totals["events"] += recorded.events
    return len(entries)


def _read(fields: dict[bytes, Any]) -> _Entry | None:
    try:
        entry = _decoder.decode(fields.get(b"f", b""))
    except ValueError as error:
        logger.warning("An entry of the position buffer cannot be read and is dropped: %s", error)
        return None
    return entry if entry.fix or entry.unlocated else None


def _keep_refused(sent: Sequence[tuple[Fix | UnlocatedAlarm, datetime]], rejected: Sequence[RejectedFix]) -> None:
    """Quarantine entries whose device was switched off or deleted after they were accepted."""
    if not rejected:
        return
    logger.info("%d entries of the position buffer were rejected, first: %s", len(rejected), rejected[0].detail)
    refused = [(bad, *sent[bad.index]) for bad in rejected]
    entries = [
        QuarantineEntry(bad.code, bad.detail, msgspec.json.encode(one), one.device_id) for bad, one, _ in refused
    ]
    received_at = max(at for _, _, at in refused)
    quarantine_entries(entries, source=FixSource.INBOX, device_pk=None, received_at=received_at)


def _count(totals: dict[str, int], result: StoreResult) -> None:
    totals["stored"] += result.stored
    totals["duplicates"] += result.duplicates
    totals["filtered"] += sum(result.filtered.values())
    totals["rejected"] += len(result.rejected)
    totals["events"] += result.events
