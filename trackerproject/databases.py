"""The databases of the settings."""

from __future__ import annotations

import re
import warnings
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environ import Env

# A server whose host is gone must hold up no request, and no job until its time limit: libpq's options.
_GIVES_UP_SOON = {
    "connect_timeout": 3,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}

_POSTGRESQL = re.compile(r"postgresql|postgis")


def databases(
    url: str, replica_url: str = "", *, max_age_seconds: int, test_suffix: str = ""
) -> dict[str, dict[str, Any]]:
    """Return Django's DATABASES: the primary, and the replica that reports are computed from where there is one.

    Raises ImproperlyConfigured for an address that is none of a PostgreSQL.
    """
    common = {
        "CONN_MAX_AGE": max_age_seconds,
        "CONN_HEALTH_CHECKS": True,
        # `iterator()` fetches whole: the cursor of a session would not survive PgBouncer (tasks_app/queries/streaming.py).
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }
    found: dict[str, dict[str, Any]] = {"default": {**_reachable(url, "DATABASE_URL"), **common}}
    if test_suffix:
        found["default"]["TEST"] = {"NAME": f"test_tracker_{test_suffix}"}
    if replica_url:
        found["replica"] = {**_reachable(replica_url, "DATABASE_REPLICA_URL"), **common, "TEST": {"MIRROR": "default"}}
    return found


def _reachable(url: str, variable: str) -> dict[str, Any]:
    """Return the database at this address, which is given up soon unless its address says otherwise."""
    try:
        with warnings.catch_warnings(action="ignore"):  # they hold the password
            database = Env.db_url_config(url)
    except ValueError:  # for example of a port, where a sign in the password ended it
        database = {}
    if not _POSTGRESQL.search(database.get("ENGINE", "")) or not database["NAME"]:
        raise ImproperlyConfigured(
            f"{variable} cannot be read: postgres://user:password@host:5432/database is meant,"
            " in which a / in the password is %2F and a ? %3F."
        )
    return {**database, "OPTIONS": {**_GIVES_UP_SOON, **database.get("OPTIONS", {})}}
