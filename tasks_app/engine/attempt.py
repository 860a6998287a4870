"""One attempt of one job: run the function, and say how it ended. Knows neither Redis nor the database."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from django_q.signals import post_execute, pre_execute

from tasks_app.engine.arguments import encode_json
from tasks_app.engine.config import engine_config
from tasks_app.engine.consumers import HOST
from tasks_app.engine.errors import InvalidArguments, JobCancelled, UnserialisableResult
from tasks_app.engine.keys import PRIORITIES
from tasks_app.engine.payload import Payload, unseal
from tasks_app.engine.records import FinishedJob, from_ms
from tasks_app.engine.redaction import redact, shorten
from tasks_app.engine.registry import Task, get_task
from tasks_app.engine.states import JobState
from tasks_app.engine.streams import Delivery

MAX_TRACEBACK_CHARS = 20_000
MAX_MESSAGE_CHARS = 2_000
MAX_KEPT_MESSAGE_BYTES = 4096


@dataclass(slots=True)
class Attempt:
    """A delivery, what its message says, and (once run) how it ended."""

    queue: str
    delivery: Delivery
    started_at: datetime
    payload: Payload | None = None
    task: Task[Any, Any] | None = None
    result: Any = None
    error: BaseException | None = None
    finished_at: datetime | None = None
    progress: dict[str, Any] | None = None
    log_lines: list[str] = field(default_factory=list)

    @property
    def timeout_seconds(self) -> float:
        return self.task.timeout_seconds if self.task else engine_config().queue(self.queue).timeout_seconds

    def open(self) -> None:
        """Read the message and find its task. Raises BadPayload, UnknownTask."""
        self.payload = unseal(self.queue, self.delivery.job_id, self.delivery.message)
        self.task = get_task(self.payload.task)

    def run(self) -> None:
        """Call the function; keep its result once it is known to be storable. Raises whatever the function raises."""
        if self.payload is None or self.task is None:
            raise RuntimeError("open() comes first")
        args, kwargs = self.payload.call
        job = {"id": self.delivery.job_id, "func": self.task.name, "args": args, "kwargs": kwargs}
        if pre_execute.receivers:
            pre_execute.send_robust(sender="django_q", func=self.task.function, task=job)
        self.result = storable(self.task.function(*args, **kwargs))
        if post_execute.receivers:
            post_execute.send_robust(sender="django_q", task={**job, "result": self.result, "success": True})

    def failure(self) -> dict[str, Any]:
        """This attempt, which failed, as it is kept on the job."""
        error = self.error
        return {
            "attempt": self.delivery.attempt,
            "started_at": self.started_at.isoformat(),
            "finished_at": (self.finished_at or datetime.now(UTC)).isoformat(),
            "error_class": type(error).__name__[:200],
            "error_message": str(error)[:MAX_MESSAGE_CHARS].replace("\x00", ""),
            "traceback": format_traceback(error),
            "worker": f"{HOST}:{os.getpid()}",
            "logs": self.log_lines,
        }

    def finished_job(self) -> FinishedJob:
        """Everything that is kept of the job, this having been its last attempt."""
        failures = list(self.delivery.failures)
        last = self.failure() if self.error else None
        finished_at = self.finished_at or datetime.now(UTC)
        created_at = from_ms(self.delivery.created_ms) if self.delivery.created_ms else self.started_at
        args, kwargs = self.payload.call if self.payload else unreadable(self.delivery.message)
        if args or kwargs:
            if self.error is None:
                args, kwargs = shorten([args, kwargs])
            args, kwargs = redact([args, kwargs])
        return FinishedJob(
            job_id=self.delivery.job_id,
            task=self.delivery.task,
            queue=self.queue,
            state=self.state,
            created_at=created_at,
            finished_at=finished_at,
            args=args,
            kwargs=kwargs,
            result=self.result,
            error_class=last["error_class"] if last else "",
            error_message=last["error_message"] if last else "",
            traceback=last["traceback"] if last else "",
            attempts=[*failures, last] if last else failures,
            attempt_count=self.delivery.attempt,
            progress=self.progress,
            logs=self.log_lines,
            requested_by_id=self.payload.requested_by_id if self.payload else None,
            schedule_id=self.payload.schedule_id if self.payload else None,
            retry_of=self.payload.retry_of if self.payload else None,
            started_at=self.started_at,
            wait_seconds=max(0.0, (self.started_at - created_at).total_seconds()),
            run_seconds=max(0.0, (finished_at - self.started_at).total_seconds()),
            worker_host=HOST,
            worker_pid=os.getpid(),
            priority=PRIORITIES[self.delivery.priority - 1],
        )

    @property
    def state(self) -> JobState:
        """The final state, this having been the last attempt."""
        if self.error is None:
            return JobState.SUCCEEDED
        return JobState.CANCELLED if isinstance(self.error, JobCancelled) else JobState.FAILED


def unreadable(message: bytes) -> tuple[list[Any], dict[str, Any]]:
    """What is shown as the arguments of a message that cannot be read: the beginning of it, for inspection."""
    return [], {"unreadable_message": repr(message[:MAX_KEPT_MESSAGE_BYTES])}


def storable(result: Any) -> Any:
    """Return the result as it can be stored. Raises UnserialisableResult with the reason."""
    if result is None:
        return None
    try:
        text = encode_json(result)
    except InvalidArguments as error:
        raise UnserialisableResult(f"The result cannot be stored. {error}") from error
    limit = engine_config().max_result_bytes
    if len(text) > limit:
        raise UnserialisableResult(f"The result has {len(text)} bytes; at most {limit} are kept.")
    return msgspec.Raw(text.encode())


def format_traceback(error: BaseException | None) -> str:
    """The traceback without the engine's own frames, capped from the front, storable in PostgreSQL."""
    if error is None:
        return ""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_globals.get("__name__", "").startswith("tasks_app.engine."):
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace)).replace("\x00", "")
    return text.encode("utf-8", "replace").decode()[-MAX_TRACEBACK_CHARS:]
