"""The metrics of jobs and workers."""

from __future__ import annotations

import re

from tasks_app.engine.metrics.kinds import OTHER, SECONDS_OF_JOBS, Counter, Histogram

_OF_TASK = ("queue", "task")

JOBS_ENQUEUED = Counter("tracker_jobs_enqueued_total", "Jobs that were made", _OF_TASK)
JOBS_FINISHED = Counter("tracker_jobs_finished_total", "Jobs that ended, by their final state", (*_OF_TASK, "state"))
JOB_ATTEMPTS = Counter(
    "tracker_job_attempts_total",
    "Attempts that ended: succeeded, failed, cancelled, or retried, which failed and are tried again",
    (*_OF_TASK, "outcome"),
)
JOB_FAILURES = Counter(
    "tracker_job_failures_total",
    "Attempts that failed, by the class of their error",
    (*_OF_TASK, "error_class"),
    most_series=1000,
)
JOB_WAIT_SECONDS = Histogram.of_seconds(
    "tracker_job_wait_seconds",
    "From making a job to its first attempt, a delay it was given included",
    _OF_TASK,
    SECONDS_OF_JOBS,
)
JOB_RUN_SECONDS = Histogram.of_seconds(
    "tracker_job_run_seconds", "From the start of an attempt to its end", _OF_TASK, SECONDS_OF_JOBS
)
JOB_BATCH_SIZE = Histogram(
    "tracker_job_batch_size",
    "Jobs of a batched task that one call serves",
    _OF_TASK,
    (1, 5, 20, 50, 100, 250, 500, 1000, 2500),
)
WORKER_LOSSES = Counter("tracker_worker_losses_total", "Workers that died, by cause", ("queue", "cause"))
JOBS_RECOVERED = Counter(
    "tracker_jobs_recovered_total",
    "Jobs in the hands of workers that died: requeued, or ended after too many losses or on request",
    ("queue", "outcome"),
)

_CLASS = re.compile(r"[A-Za-z_]\w{0,79}")
_CAUSES = (
    ("at its time limit", "time_limit"),
    ("frozen", "frozen"),
    ("went silent", "silent"),
    ("no heartbeat", "silent"),
    ("killed by", "signal"),
    ("exited", "exit"),
)


def error_label(error_class: str) -> str:
    """Return the class of an error as a label's value."""
    return error_class if _CLASS.fullmatch(error_class) else OTHER


def cause_of_loss(reason: str) -> str:
    """Return the cause of a worker's death, "" where it left in order."""
    if reason == "exited with code 0":
        return ""
    return next((cause for words, cause in _CAUSES if words in reason), OTHER)
