"""Endpoints of jobs, queues and workers."""

from tasks_app.api.jobs.bulk import BulkCancelView, BulkRetryView, BulkRunNowView
from tasks_app.api.jobs.priority import JobPriorityView
from tasks_app.api.jobs.queue_control import QueuePauseView, QueuePurgeView, QueueResumeView
from tasks_app.api.jobs.queues import QueueListView, StatsView, StatusView, WorkerListView
from tasks_app.api.jobs.run_now import JobRunNowView
from tasks_app.api.jobs.views import JobCancelView, JobDetailView, JobListView, JobRetryView
from tasks_app.api.jobs.worker_control import (
    ClusterGrowView,
    ClusterShrinkView,
    TaskPauseView,
    TaskResumeView,
    WorkerQuietView,
    WorkerStopView,
    WorkerWakeView,
)

__all__ = [
    "BulkCancelView",
    "BulkRetryView",
    "BulkRunNowView",
    "ClusterGrowView",
    "ClusterShrinkView",
    "JobCancelView",
    "JobDetailView",
    "JobListView",
    "JobPriorityView",
    "JobRetryView",
    "JobRunNowView",
    "QueueListView",
    "QueuePauseView",
    "QueuePurgeView",
    "QueueResumeView",
    "StatsView",
    "StatusView",
    "TaskPauseView",
    "TaskResumeView",
    "WorkerListView",
    "WorkerQuietView",
    "WorkerStopView",
    "WorkerWakeView",
]
