"""Counters, histograms and gauges to which all processes of all hosts contribute.

Counting appends to a list of this process, no more: no lock that an interrupted task could keep, no server that could be away.
About once a second what was counted is added up in Redis (`sending`), where `reading` finds the figures of all processes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, ClassVar

Labels = tuple[str, ...]
# Sums of seconds are kept as whole microseconds: adding up fractions for months would lose the small ones.
MICROSECONDS = 1_000_000
SUM = "sum"
# What takes the place of a label's value where a metric has as many series as it may.
OTHER = "other"

SECONDS_OF_JOBS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
SECONDS_OF_REQUESTS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metric:
    """Base of the kinds. Its values of labels are a bounded set, or `most_series` bounds them: the last one becomes "other"."""

    all: ClassVar[dict[str, Metric]] = {}

    def __init__(self, name: str, text: str, labels: Sequence[str] = (), *, most_series: int = 0) -> None:
        self.name = name
        self.text = text
        self.labels = tuple(labels)
        self.most_series = most_series
        Metric.all[name] = self

    def parts(self, value: Any) -> Iterable[tuple[str, int]]:
        """Return what a counted value adds to: names within a series, and numbers."""
        raise NotImplementedError


class Counter(Metric):
    """A number that only grows; its name ends in `_total`."""

    def add(self, count: int, *labels: str) -> None:
        """Add to the series with these values of the labels."""
        if count:
            pending.note(self, labels, count)

    def parts(self, value: int) -> Iterable[tuple[str, int]]:
        """Return the number itself, under no name."""
        return [("", value)]


class Histogram(Metric):
    """Values counted by size. With `scale` the sum is kept in so many parts of the unit."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float], *, scale: int = 1, **options: Any
    ) -> None:
        super().__init__(name, text, labels, **options)
        self.bounds = tuple(bounds)
        self.scale = scale

    @classmethod
    def of_seconds(cls, name: str, text: str, labels: Sequence[str], bounds: Sequence[float]) -> Histogram:
        """Return a histogram of seconds."""
        return cls(name, text, labels, bounds, scale=MICROSECONDS)

    def observe(self, values: Sequence[float], *labels: str) -> None:
        """Count these values."""
        if values:
            pending.note(self, labels, values)

    def parts(self, value: Sequence[float]) -> Iterable[tuple[str, int]]:
        """Return how many values are in each bucket, by its number, and their sum."""
        if len(value) == 1:
            # As of a request, and of a job that was alone.
            (one,) = value
            return [(str(bisect_left(self.bounds, one)), 1), (SUM, max(0, round(one * self.scale)))]
        values = sorted(value)
        places = [0, *(bisect_right(values, bound) for bound in self.bounds), len(values)]
        counts = [(str(number), last - first) for number, (first, last) in enumerate(pairwise(places))]
        return [*(one for one in counts if one[1]), (SUM, max(0, round(sum(values) * self.scale)))]


class Gauge(Metric):
    """A number of each process, of which readers see the sum over the processes that live."""

    def set(self, value: float, *labels: str) -> None:
        """Note the present number of this process."""
        pending.gauges[self, labels] = value
        pending.begin()


class Pending:
    """Counts of this process that were not sent, and its gauges."""

    def __init__(self) -> None:
        self.counted: deque[tuple[Metric, Labels, Any]] = deque()
        self.gauges: dict[tuple[Gauge, Labels], float] = {}
        # Begins the sending; set by `sending`, which needs what the engine is configured with.
        self.start: Any = None
        self.is_begun = False

    def note(self, metric: Metric, labels: Labels, value: Any) -> None:
        """Keep one count. Appending is one step: it may be interrupted before or after it, in any thread."""
        self.counted.append((metric, labels, value))
        if not self.is_begun:
            self.begin()

    def begin(self) -> None:
        """Begin to send, once in each process."""
        if not self.is_begun and self.start:
            self.is_begun = True
            self.start()

    def forget(self) -> None:
        """Forget all: a forked process does not send what its parent counted."""
        self.counted.clear()
        self.gauges.clear()
        self.is_begun = False


pending = Pending()
