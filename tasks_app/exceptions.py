"""Errors of this package that cross a layer. The first line of each is its default message."""

from __future__ import annotations

from tasks_app.engine.states import JobState


class JobError(Exception):
    """Base of what can be wrong with acting on a job."""

    code = "job_error"


class NothingOfThatName(JobError):
    """There is nothing of that name."""


class JobNotFound(NothingOfThatName):
    """There is no such job."""

    code = "not_found"


class JobInState(JobError):
    """The job is in a state in which this cannot be done."""

    def __init__(self, state: JobState, detail: str = "") -> None:
        super().__init__(detail or self.__doc__)
        self.state = state


class JobAlreadyFinished(JobInState):
    """The job has ended already."""

    code = "job_already_finished"


class JobStillLive(JobInState):
    """The job has not ended yet."""

    code = "job_still_live"


class JobNotWaiting(JobInState):
    """The job does not wait for a later time."""

    code = "job_not_waiting"


class JobWaitsNoMore(JobNotWaiting):
    """The job does not wait any more."""


class PriorityNotChangeable(JobInState):
    """Jobs of a lane keep their order, and a group has none of its own: their priority cannot be changed."""

    code = "priority_not_changeable"


class QueueNotFound(NothingOfThatName):
    """There is no such queue."""

    code = "unknown_queue"


class TaskNotFound(NothingOfThatName):
    """There is no such task."""

    code = "unknown_task"


class WorkerNotFound(NothingOfThatName):
    """There is no such worker or cluster."""

    code = "unknown_worker"


class WorkerLimit(JobError):
    """The cluster cannot have that number of workers."""

    code = "worker_limit"


class JobNotRepeatable(JobError):
    """The job cannot be made again: long lists and secrets among its arguments are not kept, or what it worked on is gone."""

    code = "job_not_repeatable"


class BufferFull(RuntimeError):
    """The position buffer is full: nothing was added, the sender must try again later."""


class FileNotStored(Exception):
    """An uploaded file could not be stored, and no part of it was left behind; the message is the storage's reason."""
