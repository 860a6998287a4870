"""Cancelling and retrying many jobs that a person chose together, as one job."""

from tasks_app.services.jobs.bulk.asking import CHANGE_TASK, MAX_CHOSEN, ask_for_bulk_action, why_not_continued
from tasks_app.services.jobs.bulk.reasons import reason_text
from tasks_app.services.jobs.bulk.running import run_bulk_action

__all__ = [
    "CHANGE_TASK",
    "MAX_CHOSEN",
    "ask_for_bulk_action",
    "reason_text",
    "run_bulk_action",
    "why_not_continued",
]
