"""The inbox of single fixes: phones send one at a time, the pipeline is quickest with many at once.

    <prefix>:inbox   STREAM   one entry {f: <JSON of the fix and when it was received>}, no consumer group

An entry is deleted after its fix is stored. A crash in between, or two drains at once, store nothing twice: the pipeline
keeps each (device, time) once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import msgspec

from tasks_app.engine import current_job, get_task
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.ingest.fix import Fix
from tasks_app.services.positions import StoreResult, store_fixes

logger = logging.getLogger(__name__)

MAX_INBOX_FIXES = 100_000
FIXES_PER_ROUND = 5000
DRAIN_AFTER_SECONDS = 1.0
_DRAIN_TASK = "drain_position_inbox"


class InboxFull(RuntimeError):
    """The inbox holds MAX_INBOX_FIXES: nothing was added, the sender must try again later."""


@dataclass(frozen=True, slots=True)
class _Entry:
    fix: Fix
    received_at: datetime


_decoder = msgspec.json.Decoder(_Entry)


def inbox_key() -> str:
    """The Redis key of the inbox."""
    return f"{engine_config().prefix}:inbox"


def inbox_size() -> int:
    """How many fixes wait."""
    return client().xlen(inbox_key())


def add_to_inbox(fixes: Sequence[Fix], *, received_at: datetime) -> None:
    """Put fixes into the inbox; when it was empty a drain follows in a second. Raises InboxFull, redis.RedisError."""
    key = inbox_key()
    if inbox_size() + len(fixes) > MAX_INBOX_FIXES:
        raise InboxFull(f"The inbox holds {MAX_INBOX_FIXES} fixes.")
    pipeline = client().pipeline(transaction=True)
    pipeline.xlen(key)
    for fix in fixes:
        pipeline.xadd(key, {"f": msgspec.json.encode(_Entry(fix, received_at))})
    waiting_before = pipeline.execute()[0]
    if fixes and not waiting_before:
        get_task(_DRAIN_TASK).apply_async(countdown=DRAIN_AFTER_SECONDS, unique_key=_DRAIN_TASK)


def drain_inbox() -> dict[str, int]:
    """Store what waits in the inbox, in rounds of 5 000, and remove it; counts of what became of the fixes."""
    totals = {"read": 0, "stored": 0, "doubled": 0, "rejected": 0, "events": 0}
    for _ in range(MAX_INBOX_FIXES // FIXES_PER_ROUND):
        current_job().raise_if_cancelled()
        read = _drain_round(totals)
        if read < FIXES_PER_ROUND:
            break
    return totals


def _drain_round(totals: dict[str, int]) -> int:
    entries = cast(list[tuple[bytes, dict[bytes, bytes]]], client().xrange(inbox_key(), count=FIXES_PER_ROUND))
    if not entries:
        return 0
    readable = [entry for _, fields in entries if (entry := _read(fields)) is not None]
    result = store_fixes([entry.fix for entry in readable], [entry.received_at for entry in readable])
    client().xdel(inbox_key(), *(entry_id for entry_id, _ in entries))
    _count(totals, len(entries), len(entries) - len(readable), result)
    return len(entries)


def _read(fields: dict[bytes, Any]) -> _Entry | None:
    try:
        return _decoder.decode(fields.get(b"f", b""))
    except ValueError as error:
        logger.warning("An inbox entry cannot be read and is dropped: %s", error)
        return None


def _count(totals: dict[str, int], read: int, unreadable: int, result: StoreResult) -> None:
    totals["read"] += read
    totals["stored"] += result.stored
    totals["doubled"] += result.doubled
    totals["rejected"] += unreadable + len(result.rejected)
    totals["events"] += result.events
    if result.rejected:
        logger.info("%d fixes of the inbox were rejected, first: %s", len(result.rejected), result.rejected[0].detail)
