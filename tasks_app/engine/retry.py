"""The delay before a failed attempt is tried again. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tasks_app.engine.errors import (
    BadPayload,
    InvalidArguments,
    JobCancelled,
    PermanentError,
    UnknownTask,
    UnserialisableResult,
)

# A further attempt would fail in the same way.
PERMANENT_ERRORS = (PermanentError, UnknownTask, InvalidArguments, BadPayload, UnserialisableResult, JobCancelled)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `max_attempts` attempts; the wait doubles from `base_seconds` up to `cap_seconds`."""

    max_attempts: int
    base_seconds: float
    cap_seconds: float


def retry_delay_seconds(policy: RetryPolicy, attempt: int, error: BaseException, jitter: float) -> float | None:
    """Return how long to wait before the next attempt, or None when there is none.

    `attempt` counts from 1. `jitter` is a random number in [0, 1): the wait is spread over 75-125 % of the doubling
    value, so that jobs that failed together are not retried together.
    """
    if issubclass(type(error), PERMANENT_ERRORS) or attempt >= policy.max_attempts:
        return None
    delay_seconds = min(policy.cap_seconds, policy.base_seconds * 2.0 ** min(attempt - 1, 62))
    return delay_seconds * (0.75 + 0.5 * jitter)
