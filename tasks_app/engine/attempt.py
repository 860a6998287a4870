"""One attempt of one job: reading its message, calling the task, and the record of how it ended. No I/O of its own."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from django_q.signals import post_execute, pre_execute

from tasks_app.engine.arguments import encode_json_bytes
from tasks_app.engine.config import engine_config
from tasks_app.engine.consumers import HOST
from tasks_app.engine.errors import BadPayload, InvalidArguments, UnserialisableResult
from tasks_app.engine.failures import Failure, describe, is_cancellation
from tasks_app.engine.flow_rows import links_to_keep
from tasks_app.engine.groups.ending import ending_task
from tasks_app.engine.job_fields import datetime_of_ms
from tasks_app.engine.keys import PRIORITIES
from tasks_app.engine.payload import Payload, unseal
from tasks_app.engine.records import FinishedJob
from tasks_app.engine.redaction import hide_values, redact_call, secret_values, shorten
from tasks_app.engine.registered_task import Task
from tasks_app.engine.registry import UNKNOWN_TASK, get_task
from tasks_app.engine.retry import retry_delay_seconds
from tasks_app.engine.states import JobState
from tasks_app.engine.storable import json_type_of, storable_text
from tasks_app.engine.streams import ClaimedAttempt

NO_ARGUMENTS: tuple[list[Any], dict[str, Any]] = ([], {})
MAX_KEPT_MESSAGE_BYTES = 4096


class Attempt(msgspec.Struct):
    """A claimed attempt with its message, its task and, once it ran, its result or error."""

    queue: str
    claim: ClaimedAttempt
    started_at: datetime
    payload: Payload | None = None
    task: Task[Any, Any] | None = None
    result: Any = None
    error: BaseException | None = None
    finished_at: datetime | None = None
    progress: dict[str, Any] | None = None
    log_lines: list[str] = []
    failed: Failure | None = None
    # The arguments as shown; None until they are needed, where no row may be.
    shown: tuple[list[Any], dict[str, Any]] | None = NO_ARGUMENTS
    # The values hidden in them; None until they are needed.
    hidden: Sequence[str] | None = None

    @property
    def timeout_seconds(self) -> float:
        if self.payload and self.payload.timeout_seconds:
            return self.payload.timeout_seconds
        return self.task.timeout_seconds if self.task else engine_config().queue(self.queue).timeout_seconds

    def open(self) -> None:
        """Read the message and find its task. Raises BadPayload, UnknownTask."""
        self.payload = unseal(self.queue, self.claim.job_id, self.claim.message)
        self.task = self._find_task(self.payload)
        args, kwargs = self.payload.call
        if not args and not kwargs:
            return
        if self.leaves_no_row:
            self.shown = None
        else:
            # Before the task runs, which may change its arguments.
            self._note_call(args, kwargs)

    def note_call(self) -> None:
        """Note how the arguments are shown and what is hidden in them, if that is still to do."""
        if self.shown is None:
            self._note_call(*unseal(self.queue, self.claim.job_id, self.claim.message).call)

    def _note_call(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        self.shown = redact_call(self._parameter_names, shorten(args), shorten(kwargs))

    @property
    def secrets(self) -> Sequence[str]:
        """Return the values hidden in the arguments, also in items that are left out where these are shown.

        They are looked for in the message: the task may have changed its arguments, and for most jobs nobody asks.
        """
        if self.hidden is None:
            try:
                payload = unseal(self.queue, self.claim.job_id, self.claim.message)
                self.hidden = secret_values(self._parameter_names, *payload.call)
            except BadPayload:
                self.hidden = ()
        return self.hidden

    @property
    def _parameter_names(self) -> Sequence[str]:
        return self.task.parameter_names if self.task else ()

    def _find_task(self, payload: Payload) -> Task[..., Any]:
        if self.is_end_of_group:
            return ending_task(self.queue, self.claim.job_id, payload)
        return get_task(payload.task).on_queue(self.queue)

    def run(self, function: Callable[..., Any] | None = None) -> None:
        """Call the task's function, or this one, and keep its result in storable form.

        Raises any error of the function, UnserialisableResult.
        """
        if self.payload is None or self.task is None:
            raise RuntimeError("open() comes first")
        args, kwargs = self.payload.call
        function = function or self.task.function
        if not pre_execute.receivers and not post_execute.receivers:
            self.result = storable(function(*args, **kwargs))
            return
        job = {"id": self.claim.job_id, "func": self.task.name, "args": args, "kwargs": kwargs}
        pre_execute.send_robust(sender="django_q", func=self.task.function, task=job)
        self.result = storable(function(*args, **kwargs))
        post_execute.send_robust(sender="django_q", task={**job, "result": self.result, "success": True})

    def fail(self, error: BaseException) -> None:
        """Keep the error and describe it at once: the str() of a task's exception is code of the task, and may fail."""
        self.error, self.result = error, None
        self.failed = describe(error)

    def failure(self) -> dict[str, Any]:
        """Return this failed attempt as it is kept on the job."""
        failed = self.failed or Failure("", "", "")
        return {
            "attempt": self.claim.attempt,
            "started_at": self.started_at.isoformat(),
            "finished_at": (self.finished_at or datetime.now(UTC)).isoformat(),
            "error_class": failed.error_class,
            "error_path": failed.error_path,
            "error_message": hide_values(failed.error_message, self.secrets),
            "traceback": hide_values(failed.traceback, self.secrets),
            "worker": f"{HOST}:{os.getpid()}",
            "logs": self.shown_logs(),
        }

    def shown_logs(self) -> list[str]:
        """Return the log lines without the hidden values of the arguments."""
        if not self.log_lines:
            return []
        return [hide_values(storable_text(line), self.secrets) for line in self.log_lines]

    def shown_progress(self, progress: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return the progress without the hidden values of the arguments."""
        if not progress or not self.secrets:
            return progress
        return {**progress, "message": hide_values(progress.get("message") or "", self.secrets)}

    def call_to_keep(self) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments to store: shortened after a success, complete after a failure, so that it can be repeated."""
        if self.error is None:
            return self.shown or NO_ARGUMENTS
        try:
            payload = unseal(self.queue, self.claim.job_id, self.claim.message)
        except BadPayload:
            return unreadable(self.claim.message)
        return redact_call(self._parameter_names, *payload.call)

    def finished_job(self) -> FinishedJob:
        """Return the row of the job, this having been its last attempt."""
        last = self.failure() if self.error is not None else None
        finished_at = self.finished_at or datetime.now(UTC)
        created_at = datetime_of_ms(self.claim.created_ms) or self.started_at
        args, kwargs = self.call_to_keep()
        links = links_to_keep(self.payload)
        # A group or chain has run since it was made: this attempt only combined its results.
        started_at = created_at if links.flow and "composite" in links.flow else self.started_at
        return FinishedJob(
            job_id=self.claim.job_id,
            task=self.claim.task,
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
            attempts=[*self.claim.failures, *([last] if last else [])],
            attempt_count=self.claim.attempt,
            progress=self.shown_progress(self.progress),
            logs=self.shown_logs(),
            requested_by_id=self.payload.requested_by_id if self.payload else None,
            schedule_id=self.payload.schedule_id if self.payload else None,
            retry_of=self.payload.retry_of if self.payload else None,
            request_id=(self.payload.request_id or "") if self.payload else "",
            trace=(self.payload.trace or "") if self.payload else "",
            started_at=started_at,
            wait_seconds=max(0.0, (started_at - created_at).total_seconds()),
            run_seconds=max(0.0, (finished_at - started_at).total_seconds()),
            worker_host=HOST,
            worker_pid=os.getpid(),
            priority=PRIORITIES[self.claim.priority - 1],
            parent_id=links.parent_id,
            member_index=links.member_index,
            flow=links.flow,
            label=links.label,
        )

    @property
    def task_label(self) -> str:
        """Return the name of the task as a label of metrics, which has a bounded set of values."""
        return self.task.name if self.task else UNKNOWN_TASK

    def retry_delay_seconds(self) -> float | None:
        """Return how long to wait before the next attempt, None when there is none."""
        if self.error is None or self.task is None or is_cancellation(self.error):
            return None
        jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
        return retry_delay_seconds(self.task.retry_policy, self.claim.attempt, self.error, jitter)

    @property
    def is_end_of_group(self) -> bool:
        """Return whether this is a group or chain whose members have ended."""
        return bool(self.payload and self.payload.flow and self.payload.flow.composite)

    @property
    def is_end_of_split(self) -> bool:
        """Return whether this is the end of a call that was split, whose parts have left their results in Redis."""
        return bool(self.payload and self.payload.flow and (one := self.payload.flow.composite) and one.is_split)

    @property
    def leaves_no_row(self) -> bool:
        """Return whether the job is acknowledged without a row, this having been its last attempt."""
        task, payload, claim = self.task, self.payload, self.claim
        if task is None or payload is None or self.error is not None or claim.failures or claim.lost:
            return False
        if payload.flow and payload.flow.membership and payload.flow.membership.is_part:
            # The row of the whole has its result. A label is what rows are counted by.
            return not payload.flow.label
        asked_for = (payload.requested_by_id, payload.schedule_id, payload.retry_of, payload.flow, payload.member_index)
        return not task.keeps_successes and all(one is None for one in asked_for)

    def end_of_part(self) -> FinishedJob:
        """Return the end of a part that leaves no row, for the note to its group."""
        index = self.payload.member_index if self.payload else None
        at, claim = self.started_at, self.claim
        return FinishedJob(
            claim.job_id, claim.task, self.queue, self.state, at, at, result=self.result, member_index=index
        )

    @property
    def state(self) -> JobState:
        """Return the final state of the job, this having been its last attempt."""
        if self.error is None:
            return JobState.SUCCEEDED
        return JobState.CANCELLED if is_cancellation(self.error) else JobState.FAILED


def unreadable(message: bytes) -> tuple[list[Any], dict[str, Any]]:
    """Return the beginning of a message that cannot be read, in place of its arguments."""
    return [], {"unreadable_message": repr(message[:MAX_KEPT_MESSAGE_BYTES])}


def storable(result: Any) -> Any:
    """Return the result as it can be stored. Raises UnserialisableResult with the reason."""
    if result is None:
        return None
    try:
        encoded = encode_json_bytes(result, json_type_of)
    except InvalidArguments as error:
        raise UnserialisableResult(f"The result cannot be stored. {error}") from error
    limit = engine_config().max_result_bytes
    if len(encoded) > limit:
        raise UnserialisableResult(f"The result has {len(encoded)} bytes; at most {limit} are kept.")
    return msgspec.Raw(encoded)
