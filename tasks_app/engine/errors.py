"""Errors of the engine: for callers that enqueue jobs, and for the code of tasks."""

from __future__ import annotations

from collections.abc import Collection


class EngineError(Exception):
    """Base of every error of the engine. `code` names it for machines."""

    code = "engine_error"


class UnknownTask(EngineError):
    """No task is registered under this name."""

    code = "unknown_task"
    # How the message about a name begins; schedules keep it.
    NOT_REGISTERED = "No task is registered as"


class InvalidArguments(EngineError):
    """The arguments do not fit the task's signature, or cannot be written as JSON."""

    code = "invalid_arguments"


class TaskNotPermitted(EngineError):
    """The user may not start this task, nor schedule or repeat it."""

    code = "task_not_permitted"


class PayloadTooLarge(EngineError):
    """The arguments are larger than MAX_PAYLOAD_BYTES."""

    code = "payload_too_large"


class NotOffered(EngineError):
    """django-q2 or Celery offers this and the engine does not: the message names the alternative."""

    code = "not_offered"


class UnknownJob(EngineError):
    """No job has this id: it was never made, or the clean-up has removed its row."""

    code = "unknown_job"


class WouldDeadlock(EngineError):
    """A task may not wait for a job of its own queue: the workers that could run it may all be waiting, too."""

    code = "would_deadlock"


class JobFailed(EngineError):
    """The job whose result was asked for failed or was cancelled. `error_class` names the error that ended it."""

    code = "job_failed"

    def __init__(self, error_class: str, error_message: str) -> None:
        super().__init__(error_class, error_message)
        self.error_class = error_class
        self.error_message = error_message

    def __str__(self) -> str:
        return f"{self.error_class}: {self.error_message}"


class QueueFull(EngineError):
    """The queue holds MAX_QUEUE_DEPTH jobs: try again later."""

    code = "queue_full"


class QueueUnavailable(EngineError):
    """Redis did not take the job: nothing was enqueued, try again later."""

    code = "queue_unavailable"


class QueueLanesChanged(QueueUnavailable):
    """The queue has another number of lanes than the settings of this process say: nothing was enqueued."""

    code = "queue_lanes_changed"


class BadPayload(EngineError):
    """A message that was not written by us, was changed on the way, or belongs to another queue or job."""

    code = "bad_payload"


class UnserialisableResult(EngineError):
    """The task returned something that cannot be written as JSON, or too much of it."""

    code = "unserialisable_result"


class PermanentError(EngineError):
    """Raise in a task when trying again cannot help: the job fails at once."""

    code = "permanent_error"


class NotRepeatable(EngineError):
    """Not all arguments of the job, of its members or of its callbacks are kept, so it cannot be made again from them."""

    code = "not_repeatable"


class MembersFailed(PermanentError):
    """Members of a group failed or were cancelled, or a step of a chain."""

    code = "members_failed"


class TransactionLeftOpen(PermanentError):
    """The task ended inside a transaction, which was rolled back."""

    code = "transaction_left_open"


class WrongBatchResult(PermanentError):
    """A batch function returned something else than one result for each of its calls."""

    code = "wrong_batch_result"


class JobLost(EngineError):
    """The worker that ran the job died too often."""

    code = "worker_lost"


class JobInterrupted(BaseException):
    """Base of the interrupts raised inside a running task. Not an Exception: a task's `except Exception` lets it pass."""


class JobCancelled(JobInterrupted):
    """Cancellation of this job was requested."""


class LaneLost(JobInterrupted):
    """Another worker holds the lane of this job: the attempt ends, and counts for nothing. The other one runs the job."""

    def __init__(self, message: str, lanes: Collection[int] = ()) -> None:
        super().__init__(message)
        self.lanes = lanes


class JobTimeout(JobInterrupted):
    """The job ran longer than its time limit."""
