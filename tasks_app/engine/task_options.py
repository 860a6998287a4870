"""Checks of what is declared with `@task`: what could never run is refused there, not when the first job of it is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from tasks_app.engine.config import engine_config
from tasks_app.engine.enqueueing import MAX_TIMEOUT_SECONDS
from tasks_app.engine.number_types import is_number

# As the column of the job history.
MAX_TASK_CHARS = 100


def check_task(
    function: Callable[..., Any],
    name: Any,
    queues: Sequence[Any],
    *,
    timeout_seconds: Any,
    max_attempts: Any,
) -> None:
    """Check what a task is declared with. Raises ImproperlyConfigured with a sentence that names the task."""
    for problem in _problems(function, name, queues, timeout_seconds, max_attempts):
        raise ImproperlyConfigured(f"Task {name!r:.120}: {problem}")


def _problems(
    function: Callable[..., Any], name: Any, queues: Sequence[Any], timeout_seconds: Any, max_attempts: Any
) -> list[str]:
    known = engine_config().queues
    checks = (
        (not isinstance(name, str) or not 0 < len(name) <= MAX_TASK_CHARS,
         f"its name is a text of 1 to {MAX_TASK_CHARS} characters."),
        (any(queue not in known for queue in queues),
         f"its queues are {', '.join(map(repr, queues))}, but there are {', '.join(known)}."),
        (timeout_seconds is not None and not _is_time_limit(timeout_seconds),
         f"timeout_seconds={timeout_seconds!r:.50}: more than 0 and at most {MAX_TIMEOUT_SECONDS} are meant."),
        (max_attempts is not None and (type(max_attempts) is not int or max_attempts < 1),
         f"max_attempts={max_attempts!r:.50}: a whole number from 1 is meant."),
        (inspect.iscoroutinefunction(function),
         "it is a coroutine, which nothing would await: call asyncio.run(...) in a function, or declare it with django.tasks."),
    )  # fmt: skip
    return [problem for is_wrong, problem in checks if is_wrong]


def _is_time_limit(value: Any) -> bool:
    return is_number(value) and 0 < value <= MAX_TIMEOUT_SECONDS
