"""Tasks of the cleanup queue. Each takes `dry_run`, which reports and removes nothing, and returns what it did."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from tasks_app.engine import task
from tasks_app.services.cleanup.cache_entries import remove_unused_cache_entries
from tasks_app.services.cleanup.duplicates import remove_duplicate_positions
from tasks_app.services.cleanup.events import remove_old_events
from tasks_app.services.cleanup.job_history import remove_job_history
from tasks_app.services.cleanup.optimize import optimize_tables
from tasks_app.services.cleanup.orphans import remove_orphaned_data
from tasks_app.services.cleanup.positions import remove_old_positions
from tasks_app.services.cleanup.sessions import remove_expired_sessions


@task(queue="cleanup", schedulable=True)
def cleanup_old_positions(days_to_keep: int = 30, dry_run: bool = False) -> dict[str, Any]:
    """Remove positions older than `days_to_keep` whole UTC days; each device's last known one stays."""
    return remove_old_positions(days_to_keep=days_to_keep, now=timezone.now(), dry_run=dry_run)


@task(queue="cleanup", schedulable=True)
def cleanup_old_events(days_to_keep: int = 90, dry_run: bool = False) -> dict[str, Any]:
    """Remove events older than `days_to_keep` days, except an overspeed that still goes on."""
    return remove_old_events(days_to_keep=days_to_keep, now=timezone.now(), dry_run=dry_run)


@task(queue="cleanup", schedulable=True)
def cleanup_expired_sessions(dry_run: bool = False) -> dict[str, Any]:
    """Remove web sessions and API tokens that have expired."""
    return remove_expired_sessions(now=timezone.now(), dry_run=dry_run)


@task(queue="cleanup", schedulable=True)
def cleanup_cache(pattern: str = "*", max_age_hours: float = 24, dry_run: bool = False) -> dict[str, Any]:
    """Remove entries of our cache that fit `pattern` and were not used (OBJECT IDLETIME) for `max_age_hours`."""
    return remove_unused_cache_entries(pattern=pattern, max_age_hours=max_age_hours, dry_run=dry_run)


@task(queue="cleanup", schedulable=True)
def cleanup_duplicate_positions(dry_run: bool = False) -> dict[str, Any]:
    """Remove positions of the last days that repeat one less than a second before, within a meter."""
    return remove_duplicate_positions(now=timezone.now(), dry_run=dry_run)


@task(queue="cleanup", schedulable=True)
def cleanup_orphaned_data(dry_run: bool = False) -> dict[str, Any]:
    """Remove positions of deleted devices, and what other packages hold for things that are gone."""
    return remove_orphaned_data(now=timezone.now(), dry_run=dry_run)


@task(queue="cleanup", schedulable=True)
def cleanup_job_history(succeeded_days: int = 7, failed_days: int = 30, dry_run: bool = False) -> dict[str, Any]:
    """Remove jobs that succeeded `succeeded_days` ago, and that failed or were cancelled `failed_days` ago."""
    return remove_job_history(
        succeeded_days=succeeded_days, failed_days=failed_days, now=timezone.now(), dry_run=dry_run
    )


@task(queue="cleanup", schedulable=True)
def optimize_database(dry_run: bool = False) -> dict[str, Any]:
    """VACUUM tables with many dead rows and ANALYZE those that changed much."""
    return optimize_tables(dry_run=dry_run)
