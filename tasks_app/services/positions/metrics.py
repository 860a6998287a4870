"""The metrics of fixes: what came in by which way, and what became of it. Counted per batch, never per fix."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

from tasks_app.engine.metrics import Counter, Histogram

_RECEIVED = Counter("tracker_fixes_received_total", "Fixes that came in, good and bad, by way", ("source",))
_REJECTED = Counter(
    "tracker_fixes_rejected_total",
    "Fixes and messages that were not taken in, by way and reason",
    ("source", "reason"),
    most_series=300,
)
_STORED = Counter("tracker_positions_stored_total", "Positions stored; history is what files bring", ("origin",))
_DUPLICATES = Counter(
    "tracker_positions_duplicate_total", "Fixes of a device and time that were stored already", ("origin",)
)
_FILTERED = Counter(
    "tracker_positions_filtered_total",
    "Fixes that the filters of a fleet or device kept out",
    ("origin", "reason"),
    most_series=100,
)
_BATCH_SIZE = Histogram(
    "tracker_position_batch_size",
    "Fixes that one transaction stores",
    ("origin",),
    (1, 10, 50, 100, 500, 1000, 2500, 5000, 10000),
)


def count_received(source: str, count: int) -> None:
    """Count fixes that came in on this way."""
    _RECEIVED.add(count, source)


def count_rejected(source: str, codes: Iterable[str]) -> None:
    """Count fixes that were rejected on this way, by the codes of their reasons."""
    for code, count in Tally(codes).items():
        _REJECTED.add(count, source, code)


def count_outcome(*, stored: int, duplicates: int, filtered: Iterable[dict[str, int]], is_history: bool) -> None:
    """Count what became of the fixes of one transaction; `filtered` are counts by reason."""
    origin = "history" if is_history else "live"
    _STORED.add(stored, origin)
    _DUPLICATES.add(duplicates, origin)
    reasons: Tally[str] = Tally()
    for counts in filtered:
        if counts:
            reasons.update(counts)
    for reason, count in reasons.items():
        _FILTERED.add(count, origin, reason)
    if size := stored + duplicates + reasons.total():
        _BATCH_SIZE.observe([size], origin)
