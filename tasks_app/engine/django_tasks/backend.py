"""The backend that enqueues calls of declared tasks and finds their results."""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar
from uuid import UUID, uuid4

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.functional import cached_property
from msgspec.structs import replace

from tasks_app.engine.backends import current_backend
from tasks_app.engine.django_tasks.declared import (
    DeclaredTask,
    declare,
    find_declared,
    find_in_module,
    queue_of,
    require_known_to_workers,
)
from tasks_app.engine.django_tasks.framework import (
    BaseTaskBackend,
    InvalidTask,
    Task,
    TaskResult,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_backends,
    task_enqueued,
)
from tasks_app.engine.django_tasks.options import option, problems_of
from tasks_app.engine.django_tasks.results import level_of, make_result, result_of_hash, result_of_row, set_outcome
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.errors import InvalidArguments, UnknownJob
from tasks_app.engine.handles import JobHandle, ended_job, live_job
from tasks_app.engine.job_fields import datetime_of_ms
from tasks_app.engine.registered_task import run_on_commit
from tasks_app.engine.states import LIVE_STATES

P = ParamSpec("P")
R = TypeVar("R")


class EngineBackend(BaseTaskBackend):
    """Backend of the setting TASKS whose tasks run as jobs on the queues of the engine (docs/django-tasks.md)."""

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self._params = params

    def validate_task(self, task: Task[..., Any]) -> None:
        """Check the task, which the framework does for each that is made, and register its function. Raises InvalidTask."""
        super().validate_task(task)
        declare(task, queue_of(self, task))

    def enqueue(self, task: Task[P, R], args: Sequence[Any], kwargs: dict[str, Any]) -> TaskResult[P, R]:
        """Make a job of the call; return its result, which is not there yet.

        Raises InvalidTask, TypeError for arguments that do not fit the function or are not JSON, PayloadTooLarge,
        QueueFull, QueueUnavailable. With ENQUEUE_ON_COMMIT the last two are raised at the commit.
        """
        if self._problems:
            raise ImproperlyConfigured(self._problems[0])
        self.validate_task(task)
        canonical = find_in_module(task)
        if canonical and not isinstance(canonical.get_backend(), EngineBackend):
            raise InvalidTask(
                f"{task.module_path} is declared for backend {canonical.backend!r}: declare it for {self.alias!r}."
            )
        registered = require_known_to_workers(self, task)
        result = make_result(task, str(uuid4()), TaskResultStatus.READY, (args, kwargs), backend=self.alias)
        try:
            call = registered.arguments.check(result.args, result.kwargs)
        except InvalidArguments as error:
            raise TypeError(f"{task.module_path}: {error}") from error
        queue, options = queue_of(self, task), _options_of(task)

        def send() -> None:
            # The time that the job keeps, which is one of milliseconds.
            now_ms = time.time_ns() // 1_000_000
            made_now = replace(options, created_ms=now_ms)
            current_backend().enqueue(queue, registered.name, [(UUID(result.id), call)], made_now)
            set_outcome(result, enqueued_at=datetime_of_ms(now_ms))
            # Errors of receivers are logged: the job is made, and must not be made again.
            task_enqueued.send_robust(type(self), task_result=result)

        if option(self, "ENQUEUE_ON_COMMIT"):
            run_on_commit(send)
        else:
            send()
        return result

    def get_result(self, result_id: str) -> TaskResult[..., Any]:
        """Return the present result of a job. Raises TaskResultDoesNotExist, QueueUnavailable."""
        try:
            job = JobHandle(result_id)
            # Between the two questions it may end.
            for _ in range(2):
                if ended := ended_job(job):
                    return result_of_row(_declared(ended.task, result_id), ended)
                live = live_job(job)
                if live and live.state in LIVE_STATES:
                    return result_of_hash(_declared(live.task, result_id), live)
        except (ValueError, TypeError, AttributeError, UnknownJob) as error:
            raise TaskResultDoesNotExist(result_id) from error
        raise TaskResultDoesNotExist(result_id)

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """E008: a setting that would be ignored or cannot work."""
        return [Error(problem, hint="See docs/django-tasks.md.", id="tasks_app.E008") for problem in self._problems]

    @cached_property
    def _problems(self) -> list[str]:
        return [f"TASKS[{self.alias!r}]{problem}" for problem in problems_of(self, self._params)]


def _options_of(task: Task[..., Any]) -> JobOptions:
    """Return the options of a job. Raises InvalidTask for a start too far ahead."""
    run_after = task.run_after
    if run_after is not None and timezone.is_naive(run_after):
        run_after = timezone.make_aware(run_after)
    options = JobOptions(eta=run_after, priority=level_of(task.priority))
    try:
        options.due_ms(int(datetime.now(UTC).timestamp() * 1000))
    except InvalidArguments as error:
        raise InvalidTask(f"run_after: {error}") from error
    return options


def _declared(name: str, result_id: str) -> Task[..., Any]:
    found: DeclaredTask | None = find_declared(name)
    if found is None:
        raise TaskResultDoesNotExist(f"{result_id} is a job of {name}, which is no declared task of this process.")
    return found.declared


def import_task_modules() -> None:
    """Import the modules in OPTIONS['MODULES'] of every backend of this kind. Call when the apps get ready."""
    for backend in task_backends.all():
        if isinstance(backend, EngineBackend):
            for module in option(backend, "MODULES"):
                importlib.import_module(module)
