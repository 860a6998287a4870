"""The result of a batch that was stored in parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tasks_app.services.positions.processing import MAX_LISTED

_COUNTS = ("received", "stored", "duplicates", "without_place", "rejected_count", "events")
_COUNTS_BY_REASON = ("filtered", "unknown_quantities")


def combine_results(parts: Iterable[tuple[Sequence[int], dict[str, Any]]]) -> dict[str, Any]:
    """Return the sum of the results of `process_batch`; `parts` are (numbers of its positions in the request, result)."""
    counts = dict.fromkeys(_COUNTS, 0)
    by_reason: dict[str, dict[str, int]] = {name: {} for name in _COUNTS_BY_REASON}
    rejected: list[dict[str, Any]] = []
    for numbers, result in parts:
        for name in _COUNTS:
            counts[name] += result[name]
        for name, found in by_reason.items():
            for reason, count in result[name].items():
                found[reason] = found.get(reason, 0) + count
        rejected += [{**one, "index": numbers[one["index"]]} for one in result["rejected"]]
    rejected.sort(key=lambda one: one["index"])
    return {**counts, **by_reason, "rejected": rejected[:MAX_LISTED]}
