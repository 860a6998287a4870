"""The databases of the settings."""

from __future__ import annotations

from typing import Any


def databases(config: dict[str, Any], *, max_age_seconds: int, test_suffix: str) -> dict[str, dict[str, Any]]:
    """Return Django's DATABASES for the primary (`config` as django-environ makes it)."""
    primary = {
        **config,
        "CONN_MAX_AGE": max_age_seconds,
        "CONN_HEALTH_CHECKS": True,
        # `iterator()` fetches whole: the cursor of a session would not survive PgBouncer (tasks_app/queries/streaming.py).
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }
    if test_suffix:
        primary["TEST"] = {"NAME": f"test_tracker_{test_suffix}"}
    return {"default": primary}
