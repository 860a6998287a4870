"""Pages of jobs and queues."""

from tasks_app.admin.jobs import pages
from tasks_app.admin.jobs.queues import queue_context
from tasks_app.admin.jobs.rows import Progress, job_rows, job_url, progress_of
from tasks_app.admin.jobs.steps import ReasonForm

__all__ = ["Progress", "ReasonForm", "job_rows", "job_url", "pages", "progress_of", "queue_context"]
