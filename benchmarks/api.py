"""The API: milliseconds and requests/s of its operations with a million ended jobs and a hundred thousand that wait."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Figure
from benchmarks.setting import Setting

ENDED_JOBS = 1_000_000
QUEUED_JOBS = 100_000
REQUESTS = 200
LIST_P99_MS, METRICS_P99_MS = 50.0, 100.0
UNITS = {"p50": "ms", "p99": "ms", "rate": "requests/s"}
# Requests of each operation that are made from the schema.
EXAMPLES, QUICK_EXAMPLES = 100, 2
NO_INGEST_LIMITS = {"INGEST_REFUSALS_PER_MINUTE": "1000000000", "INGEST_DEVICE_PER_MINUTE": "1000000000"}
# Requests of one client go out as fast as they are answered, more than a person's budget lets through.
NO_BUDGETS = {f"API_{name}_PER_MINUTE": "0" for name in ("READS", "WRITES", "INGEST", "ANONYMOUS", "LOGINS")}


def run(setting: Setting) -> Iterator[Figure]:
    """Every figure; "theirs" is the limit. The processor time of what is over its limit is printed."""
    requests = 20 if setting.quick else REQUESTS
    sizes = (setting.scaled(ENDED_JOBS), setting.scaled(QUEUED_JOBS), requests)
    values = setting.measure("benchmarks.api_times", *sizes, environment=NO_BUDGETS)
    for key, value in values.items():
        case, _, what = key.rpartition("_")
        if what not in UNITS:
            continue
        limit = limit_of(case) if what == "p99" else None
        if limit and value > limit:
            cpu_ms = values[f"{case}_cpu"]
            setting.console.print(f"{case}: {value:.0f} ms, {limit:.0f} wanted; {cpu_ms:.1f} ms of processor time")
        yield Figure("api", key, value, "limit" if limit else None, limit, UNITS[what])
    yield from schema_figures(setting)


def schema_figures(setting: Setting) -> Iterator[Figure]:
    """Requests made from the schema, and how many operations did not keep to it."""
    examples = QUICK_EXAMPLES if setting.quick else EXAMPLES
    values = setting.measure("benchmarks.api_fuzz", examples, environment=NO_BUDGETS | NO_INGEST_LIMITS)
    yield Figure("api", "schema_requests", values["requests"], None, None, "requests")
    yield Figure("api", "schema_failures", values["failures"], None, None, "operations")


def limit_of(case: str) -> float | None:
    """Return the milliseconds in which 99 of 100 requests are to be answered; None where nothing is wanted."""
    if case == "metrics":
        return METRICS_P99_MS
    return LIST_P99_MS if case.startswith("jobs_") else None
