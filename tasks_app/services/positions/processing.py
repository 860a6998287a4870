"""Batches of positions in the product's JSON, as jobs bring them: parsed, stored, and a result for each job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks_app.ingest.fix import RejectedFix
from tasks_app.ingest.json_batch import ParsedBatch, parse_batches
from tasks_app.services.positions.metrics import count_received, count_rejected
from tasks_app.services.positions.senders import Sent, operated_fleets
from tasks_app.services.positions.store import NO_ALARMS, SentJob, StoreResult, store_jobs
from tasks_app.services.positions.unknown_quantities import BATCH, count_unknown

# A job's result has a size limit, and nobody reads more reasons than these.
MAX_LISTED = 500


@dataclass(frozen=True, slots=True)
class SentPositions:
    """Positions as they were sent. With `user_id` only devices this user may operate are accepted."""

    items: list[Any]
    user_id: int | None = None


def process_batch(items: list[Any], *, received_at: datetime, user_id: int | None = None) -> dict[str, Any]:
    """Store a batch of positions in the product's JSON; one bad position never costs a good one.

    With `user_id` only devices this user may operate are accepted, others are unknown to them. Returns `{"received",
    "stored", "duplicates", "filtered": {reason: count}, "without_place" (alarms), "unknown_quantities": {quantity: count},
    "rejected_count", "rejected": [{"index", "code", "detail"}] (the first 500), "events"}`.
    """
    return process_batches([SentPositions(items, user_id)], received_at=received_at)[0]


def process_batches(batches: Sequence[SentPositions], *, received_at: datetime) -> list[dict[str, Any]]:
    """Store several batches as `process_batch` stores one after the other, in one transaction; return their results."""
    parsed = parse_batches([batch.items for batch in batches], now=received_at)
    user_ids = {batch.user_id for batch in batches}
    fleets = {user_id: None if user_id is None else operated_fleets(user_id) for user_id in user_ids}
    jobs = [
        SentJob(
            Sent(one.fixes, [received_at] * len(one.fixes), allowed),
            Sent(list(one.unlocated.values()), [received_at] * len(one.unlocated), allowed)
            if one.unlocated
            else NO_ALARMS,
        )
        for one, allowed in zip(parsed, (fleets[batch.user_id] for batch in batches), strict=True)
    ]
    results = store_jobs(jobs)
    summaries = [_summary(one, result) for one, result in zip(parsed, results, strict=True)]
    count_received(BATCH, sum(one["received"] for one in summaries))
    return summaries


def _summary(parsed: ParsedBatch, result: StoreResult) -> dict[str, Any]:
    rejected = _rejected(parsed, result) if parsed.rejected or result.rejected or result.rejected_alarms else []
    if rejected:
        count_rejected(BATCH, [one.code for one in rejected])
    return {
        "received": len(parsed.fixes) + len(parsed.unlocated) + len(parsed.rejected),
        "stored": result.stored,
        "duplicates": result.duplicates,
        "filtered": result.filtered,
        "without_place": len(parsed.unlocated) - len(result.rejected_alarms),
        "unknown_quantities": count_unknown(parsed.fixes, BATCH),
        "rejected_count": len(rejected),
        "rejected": [{"index": r.index, "code": r.code, "detail": r.detail} for r in rejected[:MAX_LISTED]],
        "events": result.events,
    }


def _rejected(parsed: ParsedBatch, result: StoreResult) -> list[RejectedFix]:
    refused = [RejectedFix(parsed.indexes[r.index], r.code, r.detail) for r in result.rejected]
    unlocated_indexes = list(parsed.unlocated)
    refused += [RejectedFix(unlocated_indexes[r.index], r.code, r.detail) for r in result.rejected_alarms]
    return sorted([*parsed.rejected, *refused], key=lambda one: one.index)
