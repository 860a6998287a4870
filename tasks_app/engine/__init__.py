"""The task engine: django-q2's surface on Redis Streams.

Declare with `@task(queue=...)`, enqueue with `.delay(...)` or by name with `enqueue("name", ...)`, and inside a task ask
`current_job()` for progress and cancellation. What `delay` returns is the job's id, of which state and result can be asked.
"""

from tasks_app.engine.arguments import ArgumentRule
from tasks_app.engine.batches import BatchCall
from tasks_app.engine.context import current_job, current_request_id
from tasks_app.engine.errors import (
    EngineError,
    InvalidArguments,
    JobCancelled,
    JobFailed,
    JobTimeout,
    LaneLost,
    NotOffered,
    NotRepeatable,
    PayloadTooLarge,
    PermanentError,
    QueueFull,
    QueueLanesChanged,
    QueueUnavailable,
    TaskNotPermitted,
    UnknownJob,
    UnknownTask,
    WouldDeadlock,
)
from tasks_app.engine.groups.signatures import Signature, chain, chord, group
from tasks_app.engine.handles import JobHandle
from tasks_app.engine.registered_task import CheckedCall, Task
from tasks_app.engine.registry import (
    autodiscover,
    enqueue,
    enqueue_on_commit,
    get_task,
    registered_tasks,
    signature,
    task,
)
from tasks_app.engine.states import FINAL_STATES, LIVE_STATES, JobState, parse_state

__all__ = [
    "FINAL_STATES",
    "LIVE_STATES",
    "ArgumentRule",
    "BatchCall",
    "CheckedCall",
    "EngineError",
    "InvalidArguments",
    "JobCancelled",
    "JobFailed",
    "JobHandle",
    "JobState",
    "JobTimeout",
    "LaneLost",
    "NotOffered",
    "NotRepeatable",
    "PayloadTooLarge",
    "PermanentError",
    "QueueFull",
    "QueueLanesChanged",
    "QueueUnavailable",
    "Signature",
    "Task",
    "TaskNotPermitted",
    "UnknownJob",
    "UnknownTask",
    "WouldDeadlock",
    "autodiscover",
    "chain",
    "chord",
    "current_job",
    "current_request_id",
    "enqueue",
    "enqueue_on_commit",
    "get_task",
    "group",
    "parse_state",
    "registered_tasks",
    "signature",
    "task",
]
