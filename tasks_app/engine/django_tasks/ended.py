"""The signal task_finished for jobs that ended without a worker: cancelled while they waited, or lost too often."""

from __future__ import annotations

from collections.abc import Iterable

from tasks_app.engine.django_tasks.declared import find_declared
from tasks_app.engine.django_tasks.framework import task_finished
from tasks_app.engine.django_tasks.results import result_of_row
from tasks_app.engine.records import FinishedJob


def announce_ended(jobs: Iterable[FinishedJob]) -> None:
    """Send task_finished for those of these rows whose task is a declared one and that no worker has written."""
    for job in jobs:
        if job.worker_pid is None and (found := find_declared(job.task)):
            task = found.declared
            task_finished.send_robust(type(task.get_backend()), task_result=result_of_row(task, job))
