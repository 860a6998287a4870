"""Reports: how soon they are made, rows per second of the formats, and the memory that each takes at a million rows."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.figures import Figure
from benchmarks.setting import Setting

ROWS = 1_000_000
POSITIONS = (10_000, 100_000, 1_000_000, 10_000_000)
QUICK_POSITIONS = (10_000, 100_000)
FLEET_DEVICES, FLEET_DAYS, FLEET_LIMIT_SECONDS = 1_000, 31, 1.0
PEER_ROWS = 60_000
FORMATS = ("json", "csv", "xlsx", "pdf", "geojson", "gpx", "kml")
MEMORY_LIMIT_MB = 150.0


def run(setting: Setting) -> Iterator[Figure]:
    """Making reports beside COPY of their positions; exports of one stored report."""
    yield from build_figures(setting)
    yield from export_figures(setting)


def build_figures(setting: Setting) -> Iterator[Figure]:
    """Seconds for the positions of one device in detail, as they become more, and for a fleet's month from roll-ups."""
    for rows in QUICK_POSITIONS if setting.quick else POSITIONS:
        took = setting.measure("benchmarks.report_build", "detailed", rows)
        copy = took["copy_seconds"]
        for case in ("computed", "stored"):
            name = "detailed" if case == "computed" else "detailed_stored"
            yield Figure("reports", f"{name}_{rows}", took[f"{case}_seconds"], "copy", copy, "s")
    took = setting.measure("benchmarks.report_build", "fleet", FLEET_DEVICES, FLEET_DAYS)
    yield Figure("reports", "fleet_month", took["seconds"], "limit", FLEET_LIMIT_SECONDS, "s")


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
