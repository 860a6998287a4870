"""The benchmark "cleanup": what retention costs, and what ingest feels of it."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Figure
from benchmarks.setting import Setting

BENCH = "cleanup"
DAY_ROWS = 1_000_000


def run(setting: Setting) -> Iterator[Figure]:
    """`make bench NAME=cleanup`."""
    found = setting.measure("benchmarks.retention", setting.scaled(DAY_ROWS))
    yield Figure(BENCH, "a day of positions goes", found["drop"], "DELETE of the day", found["delete"], "s")
    table = found["drop_table"]
    yield Figure(BENCH, "its partition alone: lock, detach, drop", table, "DELETE of the day", found["delete"], "s")
    peer = found["delete_rate"]
    yield Figure(BENCH, "a tenth stays: batches with pauses", found["batch_rate"], "one DELETE", peer, "rows/s")
    yield Figure(BENCH, "little stays: exchange of the partition", found["exchange_rate"], "one DELETE", peer, "rows/s")
    yield Figure(BENCH, "p99 of an ingest batch meanwhile", found["during_ms"], "without", found["alone_ms"], "ms")
    yield Figure(BENCH, "longest wait of ingest for the table meanwhile", found["lock_wait_ms"], None, None, "ms")
