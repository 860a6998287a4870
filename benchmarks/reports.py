"""Reports: how soon they are made, rows per second of the formats, and the memory that each takes at a million rows."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from rich.bar import Bar
from rich.table import Table

from benchmarks.figures import Figure
from benchmarks.setting import Setting

ROWS = 1_000_000
POSITIONS = (10_000, 100_000, 1_000_000, 10_000_000)
QUICK_POSITIONS = (10_000, 100_000)
FLEET_DEVICES, FLEET_DAYS, FLEET_LIMIT_SECONDS = 1_000, 31, 1.0
PEER_ROWS = 60_000
FORMATS = ("json", "csv", "xlsx", "pdf", "geojson", "gpx", "kml")
MEMORY_LIMIT_MB = 150.0
PLOT_WIDTH = 40


def run(setting: Setting) -> Iterator[Figure]:
    """Making reports beside COPY of their positions; exports of one stored report."""
    yield from build_figures(setting)
    yield from export_figures(setting)


def build_figures(setting: Setting) -> Iterator[Figure]:
    """Seconds for the positions of one device in detail, as they become more, and for a fleet's month from roll-ups."""
    took = measure_detailed(setting)
    for rows, measured in took.items():
        for name, case in (("detailed", "computed"), ("detailed_stored", "stored")):
            seconds = (measured[f"{case}_seconds"], "copy", measured["copy_seconds"])
            yield Figure("reports", f"{name}_{rows}", *seconds, "s")
    few = min(took)
    for rows, measured in took.items():
        memory = (measured["megabytes"], f"{few:,} positions", took[few]["megabytes"])
        yield Figure("reports", f"detailed_memory_{rows}", *memory, "MB")
    month = setting.measure("benchmarks.report_build", "fleet", FLEET_DEVICES, FLEET_DAYS)
    yield Figure("reports", "fleet_month", month["seconds"], "limit", FLEET_LIMIT_SECONDS, "s")


def measure_detailed(setting: Setting) -> dict[int, dict[str, float]]:
    """Figures of `report_build detailed`, by the number of positions; also plotted. No positions are there before or after."""
    setting.measure("benchmarks.report_build", "clear")
    took = {
        rows: setting.measure("benchmarks.report_build", "detailed", rows)
        for rows in (QUICK_POSITIONS if setting.quick else POSITIONS)
    }
    setting.measure("benchmarks.report_build", "clear")
    setting.console.print(cost_plot({rows: measured["stored_seconds"] for rows, measured in took.items()}))
    return took


def cost_plot(seconds: dict[int, float]) -> Table:
    """Plot the cost of one position in a stored detailed report, as a bar for each number of positions."""
    table = Table(title="Detailed report made and stored: cost of one position")
    for name in ("positions", "microseconds"):
        table.add_column(name, justify="right")
    table.add_column("", width=PLOT_WIDTH)
    costs = {rows: taken / rows * 1e6 for rows, taken in seconds.items()}
    for rows, cost in costs.items():
        table.add_row(f"{rows:,}", f"{cost:.2f}", Bar(max(costs.values()), 0, cost, width=PLOT_WIDTH))
    return table


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
