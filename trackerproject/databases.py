"""The databases of the settings."""

from __future__ import annotations

from typing import Any

from environ import Env

# A replica whose host is gone must not hold a report up until the time limit of its job: libpq's options.
_GIVES_UP_SOON = {
    "connect_timeout": 3,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}


def databases(
    url: str, replica_url: str = "", *, max_age_seconds: int, test_suffix: str = ""
) -> dict[str, dict[str, Any]]:
    """Return Django's DATABASES: the primary, and the replica that reports are computed from where there is one."""
    common = {
        "CONN_MAX_AGE": max_age_seconds,
        "CONN_HEALTH_CHECKS": True,
        # `iterator()` fetches whole: the cursor of a session would not survive PgBouncer (tasks_app/queries/streaming.py).
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }
    found: dict[str, dict[str, Any]] = {"default": {**Env.db_url_config(url), **common}}
    if test_suffix:
        found["default"]["TEST"] = {"NAME": f"test_tracker_{test_suffix}"}
    if replica_url:
        replica = Env.db_url_config(replica_url)
        options = {**_GIVES_UP_SOON, **replica.get("OPTIONS", {})}
        found["replica"] = {**replica, **common, "OPTIONS": options, "TEST": {"MIRROR": "default"}}
    return found
