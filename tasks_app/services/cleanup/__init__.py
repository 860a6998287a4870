"""Clean-up jobs: each deletes rows in batches within a time limit."""

from tasks_app.services.cleanup.cache_entries import remove_unused_cache_entries
from tasks_app.services.cleanup.duplicates import remove_duplicate_positions
from tasks_app.services.cleanup.events import remove_old_events
from tasks_app.services.cleanup.history import remove_old_history
from tasks_app.services.cleanup.job_history import remove_job_history
from tasks_app.services.cleanup.optimize import optimize_tables
from tasks_app.services.cleanup.orphan_files import is_older, stored_files
from tasks_app.services.cleanup.orphans import remove_orphaned_data
from tasks_app.services.cleanup.position_archives import ArchiveDamaged, ArchiveFailed, restore_archive
from tasks_app.services.cleanup.positions import remove_old_positions
from tasks_app.services.cleanup.registry import CLEANUPS, Cleanup, register_cleanup
from tasks_app.services.cleanup.runs import MAX_WINDOW_SECONDS, Run, cutoff, delete_in_batches, run_exclusively
from tasks_app.services.cleanup.sessions import remove_expired_sessions
from tasks_app.services.cleanup.storage import sample_storage

__all__ = [
    "CLEANUPS",
    "MAX_WINDOW_SECONDS",
    "ArchiveDamaged",
    "ArchiveFailed",
    "Cleanup",
    "Run",
    "cutoff",
    "delete_in_batches",
    "is_older",
    "optimize_tables",
    "register_cleanup",
    "remove_duplicate_positions",
    "remove_expired_sessions",
    "remove_job_history",
    "remove_old_events",
    "remove_old_history",
    "remove_old_positions",
    "remove_orphaned_data",
    "remove_unused_cache_entries",
    "restore_archive",
    "run_exclusively",
    "sample_storage",
    "stored_files",
]
