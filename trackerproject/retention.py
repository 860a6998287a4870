"""Defaults of retention, from the environment."""

from __future__ import annotations

from typing import Any

DEFAULT_DAYS = {
    "positions": 30,
    "archives": 3650,
    "device_days": 1100,
    "events": 90,
    "jobs_succeeded": 7,
    "jobs_failed": 30,
    "notifications": 90,
    "uploads": 90,
    "quarantine": 30,
    "filtered": 30,
    "filter_counts": 400,
    "audit": 400,
    "storage_samples": 400,
}


def retention_days(env: Any) -> dict[str, int]:
    """Kind -> days, from a variable RETENTION_..._DAYS each; that of reports is called REPORT_KEEP_DAYS."""
    variables = {kind: (f"RETENTION_{kind.upper()}_DAYS", days) for kind, days in DEFAULT_DAYS.items()}
    variables["reports"] = ("REPORT_KEEP_DAYS", 30)
    # 0 would not be "for ever": all would go at the next clean-up.
    return {kind: env.count(*variable) for kind, variable in variables.items()}
