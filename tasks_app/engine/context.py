"""The current job: progress, cancellation and identity, for the code of a task."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from tasks_app.engine.errors import JobCancelled
from tasks_app.engine.payload import Payload
from tasks_app.engine.redaction import redact_text
from tasks_app.engine.storable import storable_number, storable_text
from tasks_app.engine.streams import ClaimedAttempt
from tasks_app.request_ids import current_request, log_fields

_PROGRESS_EVERY_SECONDS = 0.25
MAX_PROGRESS_CHARS = 1000


class CurrentJob:
    """The job this code runs in. Outside of a worker (a direct call, a test) every method is harmless."""

    def __init__(
        self,
        *,
        job_id: UUID | str | None = None,
        queue: str = "",
        requested_by_id: int | None = None,
        request_id: str = "",
        attempt: int = 1,
        report_progress: Callable[[dict[str, Any]], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        log_lines: list[str] | None = None,
        claim: ClaimedAttempt | None = None,
        hold_lane: Callable[[], None] | None = None,
    ) -> None:
        self._job_id = job_id
        self.queue = queue
        self.requested_by_id = requested_by_id
        # Of the request that made it, directly or through other jobs.
        self.request_id = request_id
        self.attempt = attempt
        self.last_progress: dict[str, Any] | None = None
        self.log_lines = log_lines
        self.claim = claim
        self._report_progress = report_progress
        self._is_cancelled = is_cancelled
        self._hold_lane = hold_lane
        self._reported_at = 0.0

    def note_payload(self, payload: Payload | None) -> None:
        """Note who asked for the job, and by which request."""
        if payload:
            self.requested_by_id = payload.requested_by_id
            self.request_id = payload.request_id or ""

    @property
    def id(self) -> UUID | None:
        """Return the id of the job, None outside of one. Made on demand: most tasks never ask for it."""
        return UUID(self._job_id) if isinstance(self._job_id, str) else self._job_id

    def progress(self, current: int, total: int | None = None, message: str = "", *, is_shown: bool = True) -> None:
        """Report how far the job is. Written at most four times a second; the first and the last (current == total) always.

        With `is_shown=False` it stands only in the row. Lazy texts, numpy's numbers and text that cannot be stored are kept as
        plain text and numbers.
        """
        done, of = storable_number(current), storable_number(total)
        text = redact_text(storable_text(message, MAX_PROGRESS_CHARS))[:MAX_PROGRESS_CHARS]
        self.last_progress = {"current": done, "total": of, "message": text}
        now = time.monotonic()
        if (
            is_shown
            and self._report_progress
            and ((done is not None and done == of) or now - self._reported_at >= _PROGRESS_EVERY_SECONDS)
        ):
            self._reported_at = now
            self._report_progress(self.last_progress)

    @property
    def is_cancelled(self) -> bool:
        """Return whether cancellation of this job was requested. Safe in any thread."""
        return bool(self._is_cancelled and self._is_cancelled())

    def raise_if_cancelled(self) -> None:
        """Call at every chunk of work. Raises JobCancelled once cancellation of this job was requested."""
        if self.is_cancelled:
            raise JobCancelled("Cancelled while running.")

    def hold_lane(self) -> None:
        """Call first in a transaction whose order matters: until its end no other worker runs jobs of its lane.

        Raises LaneLost if another one does already, because this one was taken for dead. Harmless for a job in no lane.
        """
        if self._hold_lane:
            self._hold_lane()


_current: ContextVar[CurrentJob | None] = ContextVar("current_job", default=None)


def _log_fields() -> dict[str, str]:
    """Return what a log line says of the job that is running."""
    job = _current.get()
    if job is None or not job.id:
        return {}
    found = {"job_id": str(job.id), "queue": job.queue}
    if job.claim:
        found["task"] = job.claim.task
    if job.request_id:
        found["request_id"] = job.request_id
    return found


log_fields.append(_log_fields)


def current_request_id() -> str:
    """Return the id of the request from which this code runs, directly or as a job of it; "" if there is none."""
    job = _current.get()
    return (job.request_id if job else "") or current_request.get()


def current_job() -> CurrentJob:
    """Return the job this code runs in, or a harmless stand-in outside of one."""
    return _current.get() or CurrentJob()


def set_current_job(job: CurrentJob | None) -> CurrentJob | None:
    """Set the current job of this context and return the former one; for workers and test doubles."""
    former = _current.get()
    _current.set(job)
    return former
