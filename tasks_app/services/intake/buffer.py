"""Buffer of single fixes and unlocated alarms: phones send one at a time, the pipeline is quickest with many at once.

An entry is deleted after it is stored. A crash in between, or two drains at once, store nothing twice: the pipeline keeps
each (device, time) once. The keys are described in `queries.position_buffer`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any, cast

import msgspec
from redis import RedisError

from tasks_app.engine import QueueFull, current_job, get_task
from tasks_app.engine.connection import client
from tasks_app.engine.scripts import Call
from tasks_app.exceptions import BufferFull
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.unlocated_alarms import UnlocatedAlarm
from tasks_app.models import FixSource
from tasks_app.queries.position_buffer import (
    MAX_BUFFERED_FIXES,
    buffer_key,
    drain_key,
    former_buffer_key,
    sizes_by_lane,
)
from tasks_app.queries.position_lanes import lane_of, places_by_lane
from tasks_app.redis_scripts import run_scripts
from tasks_app.services.intake.quarantine import QuarantineEntry, quarantine_entries
from tasks_app.services.positions import StoreResult, copied_fixes, record_unlocated_alarms, store_fixes

logger = logging.getLogger(__name__)

FIXES_PER_ROUND = 5000
DRAIN_AFTER_SECONDS = 1.0
# The scheduled drain comes sooner; this only lets a note whose writer died before it enqueued anything lapse.
DRAIN_NOTE_MS = 60_000
_DRAIN_TASK = "drain_position_inbox"
# Answers of add_to_buffer.lua.
_FULL, _ADDED_WITHOUT_NOTE = -1, 1


@dataclass(frozen=True, slots=True)
class _Entry:
    """A fix or an unlocated alarm, with the time of its arrival."""

    received_at: datetime
    fix: Fix | None = None
    unlocated: UnlocatedAlarm | None = None

    @property
    def device_id(self) -> str:
        return cast(Fix | UnlocatedAlarm, self.fix or self.unlocated).device_id


_decoder = msgspec.json.Decoder(_Entry)


def add_to_buffer(fixes: Sequence[Fix], unlocated: Sequence[UnlocatedAlarm] = (), *, received_at: datetime) -> None:
    """Add these to the buffer; a drain follows within a second. Raises BufferFull, redis.RedisError.

    Those of one device are added all or none.
    """
    entries = [_Entry(received_at, fix=one) for one in fixes]
    _add(entries + [_Entry(received_at, unlocated=one) for one in unlocated])


def add_of_many(
    sent: Sequence[tuple[str, Sequence[Fix], Sequence[UnlocatedAlarm]]], *, received_at: datetime
) -> list[bool]:
    """Add those of many devices, given by unique id, as `add_to_buffer` does; return of each whether all are in.

    Raises redis.RedisError where not one could be added.
    """
    entries = [_Entry(received_at, fix=one) for _, fixes, _ in sent for one in fixes]
    outcomes = _try_to_add(
        entries + [_Entry(received_at, unlocated=one) for _, _, unlocated in sent for one in unlocated]
    )
    errors = [outcome for outcome in outcomes.values() if isinstance(outcome, RedisError)]
    if errors and len(errors) == len(outcomes):
        raise errors[0]
    refused = {lane for lane, outcome in outcomes.items() if outcome == _FULL or isinstance(outcome, RedisError)}
    return [not refused or not (fixes or unlocated) or lane_of(name) not in refused for name, fixes, unlocated in sent]


def _add(entries: Sequence[_Entry]) -> None:
    """Add the entries of each lane all or none, in one round trip for all lanes. Raises BufferFull, redis.RedisError."""
    for lane, outcome in _try_to_add(entries).items():
        if isinstance(outcome, RedisError):
            raise outcome
        if outcome == _FULL:
            raise BufferFull(f"The position buffer of lane {lane} holds {MAX_BUFFERED_FIXES} fixes.")


def _try_to_add(entries: Sequence[_Entry]) -> dict[int, Any]:
    """Add the entries of each lane all or none, in one round trip for all lanes; return outcomes or errors by lane."""
    devices: dict[int, str] = {}
    calls: list[Call] = []
    for places in places_by_lane([entry.device_id for entry in entries]):
        device_id = entries[places[-1]].device_id
        lane = lane_of(device_id)
        devices[lane] = device_id
        encoded = [msgspec.json.encode(entries[place]) for place in places]
        arguments = [MAX_BUFFERED_FIXES, DRAIN_NOTE_MS, *encoded]
        calls.append(("add_to_buffer", (buffer_key(lane), drain_key(lane)), arguments))
    outcomes = dict(zip(devices, run_scripts(client(), calls, raise_errors=False), strict=True))
    for lane, outcome in outcomes.items():
        if outcome == _ADDED_WITHOUT_NOTE:
            _ask_for_drain(lane, devices[lane])
    return outcomes


def _ask_for_drain(lane: int, device_id: str) -> None:
    try:
        get_task(_DRAIN_TASK).apply_async((device_id,), countdown=DRAIN_AFTER_SECONDS)
    except QueueFull as error:
        # The fixes are in: the schedule drains them, and the next to add one tries again.
        client().delete(drain_key(lane))
        logger.warning("No drain of the position buffer could be enqueued: %s", error)


def ask_for_drains() -> dict[str, int]:
    """Enqueue a drain of each lane in which fixes wait; return how many fixes those are."""
    _move_former_entries()
    sizes = sizes_by_lane()
    for lane, size in enumerate(sizes):
        if size:
            _ask_for_drain(lane, _any_device(lane))
    return {"waiting": sum(sizes)}


def _move_former_entries() -> None:
    """Move what hosts with the former version buffered, which had one buffer for all lanes, to the parts of its lanes.

    An entry is deleted after it is added: a crash in between stores nothing twice.
    """
    key = former_buffer_key()
    client().delete(f"{key}:drain")
    while entries := cast(list[tuple[bytes, dict[bytes, bytes]]], client().xrange(key, count=FIXES_PER_ROUND)):
        try:
            _add([entry for _, fields in entries if (entry := _read(fields))])
        except BufferFull as error:
            logger.warning("Fixes of the former position buffer stay there: %s", error)
            return
        client().xdel(key, *(entry_id for entry_id, _ in entries))


def _any_device(lane: int) -> str:
    """Return an identifier whose lane this is; it need not be that of a device."""
    return next(name for number in count() if lane_of(name := f"lane-{number}") == lane)


def drain_buffer(device_id: str) -> dict[str, int]:
    """Store what waits in the part of this device, in rounds of 5 000, and remove it; return counts by outcome."""
    names = ("read", "stored", "duplicates", "filtered", "without_place", "rejected", "events")
    totals = dict.fromkeys(names, 0)
    lane = lane_of(device_id)
    client().delete(drain_key(lane))
    for _ in range(MAX_BUFFERED_FIXES // FIXES_PER_ROUND):
        current_job().raise_if_cancelled()
        read = _drain_round(lane, totals)
        if read < FIXES_PER_ROUND:
            return totals
    _ask_for_drain(lane, device_id)
    return totals


def _drain_round(lane: int, totals: dict[str, int]) -> int:
    key = buffer_key(lane)
    entries = cast(list[tuple[bytes, dict[bytes, bytes]]], client().xrange(key, count=FIXES_PER_ROUND))
    if not entries:
        return 0
    readable = [entry for _, fields in entries if (entry := _read(fields)) is not None]
    fixes = [(entry.fix, entry.received_at) for entry in readable if entry.fix]
    unlocated = [(entry.unlocated, entry.received_at) for entry in readable if entry.unlocated]
    # The fixes first: the place of an unlocated alarm may be among them.
    copies = copied_fixes(one for one, _ in unlocated)
    stored = store_fixes([fix for fix, _ in fixes], [received_at for _, received_at in fixes], copies=copies)
    recorded = record_unlocated_alarms([one for one, _ in unlocated], [received_at for _, received_at in unlocated])
    _keep_refused(fixes, stored.rejected)
    _keep_refused(unlocated, recorded.rejected)
    client().xdel(key, *(entry_id for entry_id, _ in entries))
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
