"""When the storage is full, from how large the tables were on the days before. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

# Growth is that of the last days: what was before the last change of retention says little.
TREND_DAYS = 14


@dataclass(frozen=True, slots=True)
class TableSize:
    """One table (all partitions together, with indexes) on one day."""

    day: date
    table: str
    rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class TableForecast:
    """One table now, and how much it grows in a day; None where fewer than two days are known."""

    table: str
    rows: int
    size_bytes: int
    rows_per_day: float | None
    bytes_per_day: float | None


@dataclass(frozen=True, slots=True)
class StorageForecast:
    """The database now and to come. `days_left` is None without a budget or growth, 0 where the budget is reached."""

    size_bytes: int
    budget_bytes: int
    bytes_per_day: float | None
    days_left: float | None
    tables: list[TableForecast]
    history: list[tuple[date, int]]


def forecast(samples: Iterable[TableSize], *, size_bytes: int, budget_bytes: int) -> StorageForecast:
    """Forecast from the samples for a database of `size_bytes` with a budget of `budget_bytes` (0: any size).

    The largest table comes first. `history` are the bytes of all tables per day.
    """
    by_table: dict[str, list[TableSize]] = defaultdict(list)
    by_day: dict[date, int] = defaultdict(int)
    for sample in samples:
        by_table[sample.table].append(sample)
        by_day[sample.day] += sample.size_bytes
    history = sorted(by_day.items())
    newest = history[-1][0] if history else None
    tables = [_of_table(found) for found in by_table.values() if max(sample.day for sample in found) == newest]
    tables.sort(key=lambda table: (-table.size_bytes, table.table))
    growth = per_day(history)
    return StorageForecast(
        size_bytes, budget_bytes, growth, _days_left(size_bytes, budget_bytes, growth), tables, history
    )


def per_day(points: Sequence[tuple[date, int]]) -> float | None:
    """The slope of the straight line nearest (least squares) to the points of the last TREND_DAYS days; None for one."""
    if not points:
        return None
    newest = max(day for day, _ in points)
    recent = [((day - newest).days, value) for day, value in points if (newest - day).days < TREND_DAYS]
    mean_day = sum(day for day, _ in recent) / len(recent)
    mean_value = sum(value for _, value in recent) / len(recent)
    spread = sum((day - mean_day) ** 2 for day, _ in recent)
    if not spread:
        return None
    return sum((day - mean_day) * (value - mean_value) for day, value in recent) / spread


def _of_table(samples: list[TableSize]) -> TableForecast:
    now = max(samples, key=lambda sample: sample.day)
    rows = per_day([(sample.day, sample.rows) for sample in samples])
    return TableForecast(
        now.table, now.rows, now.size_bytes, rows, per_day([(sample.day, sample.size_bytes) for sample in samples])
    )


def _days_left(size_bytes: int, budget_bytes: int, growth: float | None) -> float | None:
    if not budget_bytes:
        return None
    if size_bytes >= budget_bytes:
        return 0.0
    return (budget_bytes - size_bytes) / growth if growth and growth > 0 else None
