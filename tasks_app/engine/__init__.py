"""The task engine: django-q2's surface on Redis Streams.

Declare with `@task(queue=...)`, enqueue with `.delay(...)` or by name with `enqueue("name", ...)`, and inside a task ask
`current_job()` for progress and cancellation.
"""

from tasks_app.engine.context import current_job
from tasks_app.engine.errors import (
    EngineError,
    InvalidArguments,
    JobCancelled,
    JobTimeout,
    PayloadTooLarge,
    PermanentError,
    QueueFull,
    QueueUnavailable,
    TaskNotPermitted,
    UnknownTask,
)
from tasks_app.engine.registry import (
    Task,
    autodiscover,
    enqueue,
    enqueue_on_commit,
    get_task,
    registered_tasks,
    task,
)
from tasks_app.engine.states import FINAL_STATES, LIVE_STATES, JobState, parse_state

__all__ = [
    "FINAL_STATES",
    "LIVE_STATES",
    "EngineError",
    "InvalidArguments",
    "JobCancelled",
    "JobState",
    "JobTimeout",
    "PayloadTooLarge",
    "PermanentError",
    "QueueFull",
    "QueueUnavailable",
    "Task",
    "TaskNotPermitted",
    "UnknownTask",
    "autodiscover",
    "current_job",
    "enqueue",
    "enqueue_on_commit",
    "get_task",
    "parse_state",
    "registered_tasks",
    "task",
]
