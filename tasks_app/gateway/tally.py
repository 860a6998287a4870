"""Counts of a gateway, added up here and handed to the metrics once a second: counting a frame is one addition."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from tasks_app.services import trackers as metrics


class Tally:
    """Counts what happened since it was handed over."""

    def __init__(self) -> None:
        self.frames: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self.closed: Counter[tuple[str, str]] = Counter()
        self.opened: Counter[tuple[str, str]] = Counter()
        self.bytes: Counter[tuple[str, str]] = Counter()
        self.acknowledged: Counter[str] = Counter()
        self.unacknowledged: Counter[tuple[str, str]] = Counter()
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)

    def hand_over(self) -> None:
        """Add these counts to the metrics and begin anew."""
        pairs = (
            (metrics.FRAMES, self.frames),
            (metrics.REFUSED, self.refused),
            (metrics.CLOSED, self.closed),
            (metrics.OPENED, self.opened),
            (metrics.BYTES, self.bytes),
            (metrics.UNACKNOWLEDGED, self.unacknowledged),
        )
        for metric, counts in pairs:
            for labels, count in counts.items():
                metric.add(count, *labels)
            counts.clear()
        for protocol, count in self.acknowledged.items():
            metrics.ACKNOWLEDGED.add(count, protocol)
        for protocol, seconds in self.seconds.items():
            metrics.ACKNOWLEDGEMENT_SECONDS.observe(seconds, protocol)
        self.acknowledged.clear()
        self.seconds.clear()


def show_connections(protocols: Iterable[str], counts: Counter[str]) -> None:
    """Set how many connections of each protocol named themselves."""
    for protocol in protocols:
        metrics.CONNECTIONS.set(counts[protocol], protocol)
