"""The benchmark "cleanup": what retention costs, and what ingest feels of it."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Figure
from benchmarks.setting import Setting

BENCH = "cleanup"
DAY_ROWS = 1_000_000
# What a day that is dropped saves, from the least to the most one may call "the DELETE it replaces".
_PEERS = {
    "delete": "DELETE of the day",
    "delete_vacuum": "DELETE, VACUUM",
    "batches_vacuum": "our batches, VACUUM",
}


def run(setting: Setting) -> Iterator[Figure]:
    """`make bench NAME=cleanup`."""
    day = setting.measure("benchmarks.day_removal", setting.scaled(DAY_ROWS))
    for suffix, words in (("cold", "a day of positions"), ("cached", "a day still in the cache")):
        yield from _day_goes(day, suffix, words)
    found = setting.measure("benchmarks.retention", setting.scaled(DAY_ROWS))
    peer = found["delete_rate"]
    yield Figure(BENCH, "a tenth stays: batches with pauses", found["batch_rate"], "one DELETE", peer, "rows/s")
    yield Figure(BENCH, "little stays: exchange of the partition", found["exchange_rate"], "one DELETE", peer, "rows/s")
    yield Figure(BENCH, "p99 of an ingest batch meanwhile", found["during_ms"], "without", found["alone_ms"], "ms")
    yield Figure(BENCH, "longest wait of ingest for the table meanwhile", found["lock_wait_ms"], None, None, "ms")


def _day_goes(day: dict[str, float], suffix: str, words: str) -> Iterator[Figure]:
    for way, what in (("run", f"{words} goes"), ("partition", f"{words}: lock, detach, drop")):
        for peer, called in _PEERS.items():
            yield Figure(BENCH, what, day[f"{way}_{suffix}"], called, day[f"{peer}_{suffix}"], "s")
    limit, partition = day[f"files_{suffix}"], day[f"partition_{suffix}"]
    yield Figure(BENCH, f"{words}: lock, detach, drop", partition, "the disk: unlink", limit, "s")
    cpu, delete = day[f"partition_cpu_{suffix}"], day[f"delete_cpu_{suffix}"]
    yield Figure(BENCH, f"{words}: database's CPU", cpu, "DELETE of the day", delete, "s")
