"""The clean-ups that are started by name, from the API and the shell. Apps above register theirs when they are ready."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cleanup:
    """One clean-up: its task, and whether the number of days to keep can be given."""

    task: str
    takes_days: bool = False


CLEANUPS = {
    "positions": Cleanup("cleanup_old_positions", takes_days=True),
    "events": Cleanup("cleanup_old_events", takes_days=True),
    "sessions": Cleanup("cleanup_expired_sessions"),
    "cache": Cleanup("cleanup_cache"),
    "duplicates": Cleanup("cleanup_duplicate_positions"),
    "orphans": Cleanup("cleanup_orphaned_data"),
    "jobs": Cleanup("cleanup_job_history"),
    "history": Cleanup("cleanup_history"),
    "optimize": Cleanup("optimize_database"),
}


def register_cleanup(name: str, cleanup: Cleanup) -> None:
    """Add a clean-up of an app above. Raises ValueError for a name that is taken by another one."""
    if CLEANUPS.setdefault(name, cleanup) != cleanup:
        raise ValueError(f"There is a clean-up {name} already.")
