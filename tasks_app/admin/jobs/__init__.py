"""Pages of jobs and queues."""

from tasks_app.admin.jobs import pages
from tasks_app.admin.jobs.pages import add_pages
from tasks_app.admin.jobs.rows import Progress, job_rows, job_url, progress_of, user_names
from tasks_app.admin.jobs.steps import ReasonForm

__all__ = ["Progress", "ReasonForm", "add_pages", "job_rows", "job_url", "pages", "progress_of", "user_names"]
