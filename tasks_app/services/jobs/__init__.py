"""Actions of users on jobs and queues, and the store of finished jobs."""

from tasks_app.services.jobs.actions import (
    cancel_job,
    change_priority,
    retry_job,
    run_job_now,
    start_task,
    why_not_repeatable,
)
from tasks_app.services.jobs.bulk import (
    CHANGE_TASK,
    MAX_CHOSEN,
    ask_for_bulk_action,
    reason_text,
    run_bulk_action,
    why_not_continued,
)
from tasks_app.services.jobs.queues import pause_queue, pause_task, purge_queue, resume_queue, resume_task
from tasks_app.services.jobs.saved_views import remove_job_view, save_job_view
from tasks_app.services.jobs.workers import grow_cluster, quiet_worker, shrink_cluster, stop_worker, wake_worker

__all__ = [
    "CHANGE_TASK",
    "MAX_CHOSEN",
    "ask_for_bulk_action",
    "cancel_job",
    "change_priority",
    "grow_cluster",
    "pause_queue",
    "pause_task",
    "purge_queue",
    "quiet_worker",
    "reason_text",
    "remove_job_view",
    "resume_queue",
    "resume_task",
    "retry_job",
    "run_bulk_action",
    "run_job_now",
    "save_job_view",
    "shrink_cluster",
    "start_task",
    "stop_worker",
    "wake_worker",
    "why_not_continued",
    "why_not_repeatable",
]
