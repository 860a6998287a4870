"""Storing fixes, with all that is derived from them in the same transaction."""

from tasks_app.services.positions.combining import combine_results
from tasks_app.services.positions.derivation import MIN_COURSE_METERS
from tasks_app.services.positions.duplicate_alarms import copied_fixes
from tasks_app.services.positions.latest_cache import invalidate_latest_positions, renew_versions
from tasks_app.services.positions.metrics import count_received, count_rejected
from tasks_app.services.positions.processing import SentPositions, process_batch, process_batches
from tasks_app.services.positions.silent_overspeed import end_silent_episodes
from tasks_app.services.positions.store import StoreResult, store_fixes
from tasks_app.services.positions.unknown_quantities import BATCH, FILE, count_unknown
from tasks_app.services.positions.unlocated_alarms import record_unlocated_alarms

__all__ = [
    "BATCH",
    "FILE",
    "MIN_COURSE_METERS",
    "SentPositions",
    "StoreResult",
    "combine_results",
    "copied_fixes",
    "count_received",
    "count_rejected",
    "count_unknown",
    "end_silent_episodes",
    "invalidate_latest_positions",
    "process_batch",
    "process_batches",
    "record_unlocated_alarms",
    "renew_versions",
    "store_fixes",
]
