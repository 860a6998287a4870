"""The result of a batch that was stored in parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tasks_app.services.positions.processing import MAX_LISTED

_COUNTS = ("received", "stored", "duplicates", "without_place", "rejected_count", "events")
_COUNTS_BY_REASON = ("filtered", "unknown_quantities")


def combine_results(parts: Iterable[tuple[Sequence[int], dict[str, Any]]]) -> dict[str, Any]:
    """Return the sum of the results of `process_batch`; `parts` are (numbers of its positions in the request, result)."""
    totals: Counter[str] = Counter()
    by_reason: dict[str, Counter[str]] = {name: Counter() for name in _COUNTS_BY_REASON}
    rejected: list[dict[str, Any]] = []
    for numbers, result in parts:
        totals.update({name: result[name] for name in _COUNTS})
        for name in _COUNTS_BY_REASON:
            by_reason[name].update(result[name])
        rejected += [{**one, "index": numbers[one["index"]]} for one in result["rejected"]]
    rejected.sort(key=lambda one: one["index"])
    counts = {name: totals[name] for name in _COUNTS}
    return {**counts, **{name: dict(found) for name, found in by_reason.items()}, "rejected": rejected[:MAX_LISTED]}
