"""Reports: rows per second of the formats, and the memory that each takes at a million rows."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.figures import Figure
from benchmarks.setting import Setting

ROWS = 1_000_000
PEER_ROWS = 60_000
FORMATS = ("json", "csv", "xlsx", "pdf", "geojson", "gpx", "kml")
MEMORY_LIMIT_MB = 150.0


def run(setting: Setting) -> Iterator[Figure]:
    """Exports of one stored report."""
    yield from export_figures(setting)


def export_figures(setting: Setting) -> Iterator[Figure]:
    """Each format writes the same report, each in a process of its own; peers write the first rows of it."""
    rows = setting.scaled(ROWS)
    setting.measure("benchmarks.report_export", "store", rows)
    memory: dict[str, float] = {}
    rates: dict[str, list[float]] = {name: [] for name in ("csv", "xlsx", "openpyxl", "csv_module")}
    for _ in range(setting.rounds):
        for name in rates:
            is_peer = name not in FORMATS
            measured = setting.measure("benchmarks.report_export", name, setting.scaled(PEER_ROWS) if is_peer else rows)
            rates[name].append(measured["rows_per_second"])
            memory.setdefault(name, measured["megabytes"])
    for name, peer in (("xlsx", "openpyxl"), ("csv", "csv_module")):
        yield Figure("reports", name, median(rates[name]), peer, median(rates[peer]), "rows/s of CPU")
    for name in FORMATS:
        if name not in memory:
            memory[name] = setting.measure("benchmarks.report_export", name, rows)["megabytes"]
        yield Figure("reports", f"memory_{name}", memory[name], "limit", MEMORY_LIMIT_MB, "MB")
