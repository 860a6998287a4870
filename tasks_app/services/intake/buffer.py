"""The inbox of single fixes and news: phones send one at a time, the pipeline is quickest with many at once.

An entry is deleted after it is stored. A crash in between, or two drains at once, store nothing twice: the pipeline keeps
each (device, time) once. The keys are described in `queries.inbox`.
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
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.placeless import PlacelessNews
from tasks_app.models import FixSource
from tasks_app.queries.inbox import MAX_INBOX_FIXES, drain_key, inbox_key, inbox_size
from tasks_app.services.intake.quarantine import Suspect, quarantine_entries
from tasks_app.services.positions import StoreResult, record_news, store_fixes

__all__ = ["InboxFull", "add_to_inbox", "drain_inbox", "inbox_key", "inbox_size"]

logger = logging.getLogger(__name__)

FIXES_PER_ROUND = 5000
DRAIN_AFTER_SECONDS = 1.0
# The scheduled drain comes sooner; this only lets a note whose writer died before it enqueued anything lapse.
DRAIN_NOTE_MS = 60_000
_DRAIN_TASK = "drain_position_inbox"

# In one step: look whether all fit, add them, and leave the note that a drain is to come. A drain takes the note away
# before it reads, so whoever adds afterwards asks for another one: nothing added while a drain ends is left behind.
# KEYS inbox, drain note    ARGV limit, note's life in ms, then the entries
# Returns -1: full, nothing was added. 1: added, and the caller has to ask for a drain. 0: added, one will come.
_ADD = """
if redis.call('XLEN', KEYS[1]) + #ARGV - 2 > tonumber(ARGV[1]) then
  return -1
end
for i = 3, #ARGV do
  redis.call('XADD', KEYS[1], '*', 'f', ARGV[i])
end
return redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[2]) and 1 or 0
"""


class InboxFull(RuntimeError):
    """The inbox holds MAX_INBOX_FIXES: nothing was added, the sender must try again later."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A fix or news, with when it was received."""

    received_at: datetime
    fix: Fix | None = None
    news: PlacelessNews | None = None


_decoder = msgspec.json.Decoder(_Entry)


def add_to_inbox(fixes: Sequence[Fix], news: Sequence[PlacelessNews] = (), *, received_at: datetime) -> None:
    """Put all of it into the inbox; a drain follows within a second. Raises InboxFull, redis.RedisError."""
    if not fixes and not news:
        return
    entries = [msgspec.json.encode(_Entry(received_at, fix=fix)) for fix in fixes]
    entries += [msgspec.json.encode(_Entry(received_at, news=one)) for one in news]
    added = client().register_script(_ADD)([inbox_key(), drain_key()], [MAX_INBOX_FIXES, DRAIN_NOTE_MS, *entries])
    if added < 0:
        raise InboxFull(f"The inbox holds {MAX_INBOX_FIXES} fixes.")
    if added:
        _ask_for_drain()


def _ask_for_drain() -> None:
    try:
        get_task(_DRAIN_TASK).apply_async(countdown=DRAIN_AFTER_SECONDS)
    except QueueFull as error:
        # The fixes are in: the schedule drains them, and the next to add one tries again.
        client().delete(drain_key())
        logger.warning("No drain of the inbox could be enqueued: %s", error)


def drain_inbox() -> dict[str, int]:
    """Store what waits in the inbox, in rounds of 5 000, and remove it; counts of what became of the fixes."""
    names = ("read", "stored", "doubled", "filtered", "without_place", "rejected", "events")
    totals = dict.fromkeys(names, 0)
    client().delete(drain_key())
    for _ in range(MAX_INBOX_FIXES // FIXES_PER_ROUND):
        current_job().raise_if_cancelled()
        read = _drain_round(totals)
        if read < FIXES_PER_ROUND:
            return totals
    _ask_for_drain()
    return totals


def _drain_round(totals: dict[str, int]) -> int:
    entries = cast(list[tuple[bytes, dict[bytes, bytes]]], client().xrange(inbox_key(), count=FIXES_PER_ROUND))
    if not entries:
        return 0
    readable = [entry for _, fields in entries if (entry := _read(fields)) is not None]
    fixes = [(entry.fix, entry.received_at) for entry in readable if entry.fix]
    news = [(entry.news, entry.received_at) for entry in readable if entry.news]
    # The fixes first: the place of news without one may be among them.
    stored = store_fixes([fix for fix, _ in fixes], [received_at for _, received_at in fixes])
    recorded = record_news([one for one, _ in news], [received_at for _, received_at in news])
    _keep_refused(fixes, stored.rejected)
    _keep_refused(news, recorded.rejected)
    client().xdel(inbox_key(), *(entry_id for entry_id, _ in entries))
    _count(totals, stored)
    totals["read"] += len(entries)
    totals["without_place"] += len(news) - len(recorded.rejected)
    totals["rejected"] += len(entries) - len(readable) + len(recorded.rejected)
    totals["events"] += recorded.events
    return len(entries)


def _read(fields: dict[bytes, Any]) -> _Entry | None:
    try:
        entry = _decoder.decode(fields.get(b"f", b""))
    except ValueError as error:
        logger.warning("An inbox entry cannot be read and is dropped: %s", error)
        return None
    return entry if entry.fix or entry.news else None


def _keep_refused(sent: Sequence[tuple[Fix | PlacelessNews, datetime]], rejected: Sequence[RejectedFix]) -> None:
    """Their senders were told that all is well, and then the device was switched off or deleted."""
    if not rejected:
        return
    logger.info("%d entries of the inbox were rejected, first: %s", len(rejected), rejected[0].detail)
    refused = [(bad, *sent[bad.index]) for bad in rejected]
    suspects = [Suspect(bad.code, bad.detail, msgspec.json.encode(one), one.device_id) for bad, one, _ in refused]
    received_at = max(moment for _, _, moment in refused)
    quarantine_entries(suspects, source=FixSource.INBOX, device_pk=None, received_at=received_at)


def _count(totals: dict[str, int], result: StoreResult) -> None:
    totals["stored"] += result.stored
    totals["doubled"] += result.doubled
    totals["filtered"] += sum(result.filtered.values())
    totals["rejected"] += len(result.rejected)
    totals["events"] += result.events
