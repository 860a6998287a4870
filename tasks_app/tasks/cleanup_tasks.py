"""Tasks of the cleanup queue. Each takes `dry_run`, which reports and removes nothing, and returns its counts.

What is not said comes from the retention settings. A run that reaches its `max_seconds` says `finished: false`, and the
next one goes on. Those without a permission are about the whole system, and for superusers to start.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from tasks_app.engine import task
from tasks_app.services.argument_bounds import AgeHours, Days, DeviceId, Pattern, WindowSeconds
from tasks_app.services.cleanup import (
    optimize_tables,
    remove_duplicate_positions,
    remove_expired_sessions,
    remove_job_history,
    remove_old_events,
    remove_old_history,
    remove_old_positions,
    remove_orphaned_data,
    remove_unused_cache_entries,
    sample_storage,
)


@task(queue="cleanup", schedulable=True, permission="tasks_app.delete_position")
def cleanup_old_positions(
    days_to_keep: Days | None = None,
    dry_run: bool = False,
    device_id: DeviceId | None = None,
    max_seconds: WindowSeconds | None = None,
) -> dict[str, Any]:
    """Remove positions older than so many whole UTC days; last known ones, those of events and what is kept for ever stay."""
    return remove_old_positions(
        now=timezone.now(), days_to_keep=days_to_keep, device_id=device_id, dry_run=dry_run, max_seconds=max_seconds
    )


@task(queue="cleanup", schedulable=True, permission="tasks_app.delete_event")
def cleanup_old_events(
    days_to_keep: Days | None = None, dry_run: bool = False, max_seconds: WindowSeconds | None = None
) -> dict[str, Any]:
    """Remove events older than so many days, except an overspeed that still goes on."""
    return remove_old_events(now=timezone.now(), days_to_keep=days_to_keep, dry_run=dry_run, max_seconds=max_seconds)


@task(queue="cleanup", schedulable=True, permission="sessions.delete_session")
def cleanup_expired_sessions(dry_run: bool = False, max_seconds: WindowSeconds | None = None) -> dict[str, Any]:
    """Remove web sessions and API tokens that have expired."""
    return remove_expired_sessions(now=timezone.now(), dry_run=dry_run, max_seconds=max_seconds)


@task(queue="cleanup", schedulable=True)
def cleanup_cache(
    pattern: Pattern = "*",
    max_age_hours: AgeHours = 24,
    dry_run: bool = False,
    max_seconds: WindowSeconds | None = None,
) -> dict[str, Any]:
    """Remove entries of our cache that fit a pattern and were not used for some hours (OBJECT IDLETIME)."""
    return remove_unused_cache_entries(
        pattern=pattern, max_age_hours=max_age_hours, dry_run=dry_run, max_seconds=max_seconds
    )


@task(queue="cleanup", schedulable=True, permission="tasks_app.delete_position")
def cleanup_duplicate_positions(
    dry_run: bool = False, device_id: DeviceId | None = None, max_seconds: WindowSeconds | None = None
) -> dict[str, Any]:
    """Remove positions of the last days that repeat one just before at the same place."""
    return remove_duplicate_positions(now=timezone.now(), device_id=device_id, dry_run=dry_run, max_seconds=max_seconds)


@task(queue="cleanup", schedulable=True, permission="tasks_app.delete_position")
def cleanup_orphaned_data(dry_run: bool = False, max_seconds: WindowSeconds | None = None) -> dict[str, Any]:
    """Remove positions of deleted devices, files without a row, and what leaked in Redis."""
    return remove_orphaned_data(now=timezone.now(), dry_run=dry_run, max_seconds=max_seconds)


@task(queue="cleanup", schedulable=True, permission="tasks_app.delete_job")
def cleanup_job_history(
    succeeded_days: Days | None = None,
    failed_days: Days | None = None,
    dry_run: bool = False,
    max_seconds: WindowSeconds | None = None,
) -> dict[str, Any]:
    """Remove jobs that succeeded, and jobs that failed or were cancelled, so many days ago."""
    return remove_job_history(
        now=timezone.now(),
        succeeded_days=succeeded_days,
        failed_days=failed_days,
        dry_run=dry_run,
        max_seconds=max_seconds,
    )


@task(queue="cleanup", schedulable=True)
def cleanup_history(dry_run: bool = False, max_seconds: WindowSeconds | None = None) -> dict[str, Any]:
    """Remove quarantined and filtered fixes, commands, audit rows, imports and archives as the retention settings say."""
    return remove_old_history(now=timezone.now(), dry_run=dry_run, max_seconds=max_seconds)


@task(queue="cleanup", schedulable=True)
def optimize_database(
    dry_run: bool = False, force: bool = False, max_seconds: WindowSeconds | None = None
) -> dict[str, Any]:
    """Tidy up tables and indexes where needed (VACUUM, ANALYZE, REINDEX); in business hours only if forced."""
    return optimize_tables(now=timezone.now(), dry_run=dry_run, force=force, max_seconds=max_seconds)


@task(queue="cleanup", schedulable=True)
def sample_table_sizes() -> dict[str, Any]:
    """Note the size of every table once a day, and warn administrators before the storage budget is reached."""
    return sample_storage(now=timezone.now())
