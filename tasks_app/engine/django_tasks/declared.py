"""Declared tasks: functions that the framework's `@task` decorated, as tasks of the engine under their dotted paths."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import reduce
from typing import Any

from django.apps import apps

from tasks_app.engine import registered_task, registry
from tasks_app.engine.config import engine_config
from tasks_app.engine.context import current_job
from tasks_app.engine.django_tasks.framework import BaseTaskBackend, InvalidTask, Task
from tasks_app.engine.django_tasks.options import engine_queue, option
from tasks_app.engine.django_tasks.running import run_attempt
from tasks_app.engine.errors import UnknownTask
from tasks_app.engine.retry import RetryPolicy
from tasks_app.engine.task_options import MAX_TASK_CHARS


class DeclaredTask(registered_task.Task[..., Any]):
    """A declared function as a task of the engine. Its limits are those of its backend's options, else of the queue."""

    def __init__(self, task: Task[..., Any], queue: str) -> None:
        self._first = task
        # Workers start as this process does, and so have declared it, too.
        self.is_declared_at_start = not apps.ready
        super().__init__(
            _engine_function(task, self._run),
            name=task.module_path,
            queue=queue,
            timeout_seconds=None,
            max_attempts=None,
            schedulable=False,
            permission=None,
            members=None,
            startable=False,
        )

    @property
    def declared(self) -> Task[..., Any]:
        """The task as its module has it, which it has once the decorator returned."""
        return find_in_module(self._first) or self._first

    @property
    def timeout_seconds(self) -> float:
        return option(self.declared.get_backend(), "TIMEOUT_SECONDS") or super().timeout_seconds

    @property
    def retry_policy(self) -> RetryPolicy:
        policy = super().retry_policy
        return replace(policy, max_attempts=option(self.declared.get_backend(), "MAX_ATTEMPTS") or policy.max_attempts)

    def on_queue(self, queue: str) -> DeclaredTask:
        """Return the task with the limits of the queue on which a job of it is."""
        if queue == self.queue or queue not in engine_config().queues:
            return self
        other = copy(self)
        other.queue = queue
        return other

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        if (declared := find_in_module(self._first)) is None:
            raise UnknownTask(f"{self.name} is not decorated with @task where it is defined.")
        return run_attempt(declared, self.on_queue(current_job().queue).retry_policy, args, kwargs)


def _engine_function(task: Task[..., Any], run: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that a worker calls, with the name, and the signature without context, of the declared one.

    It has no annotations: other backends do not check the types of arguments, which may be of any kind.
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        return run(*args, **kwargs)

    signature = inspect.signature(task.func)
    parameters = list(signature.parameters.values())[1 if task.takes_context else 0 :]
    function.__module__, function.__name__ = task.func.__module__, task.func.__qualname__
    function.__doc__, function.__annotations__ = task.func.__doc__, {}
    function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return function


def declare(task: Task[..., Any], queue: str) -> None:
    """Register the function, once: variants that `using` makes of a task have the same path."""
    if find_declared(task.module_path) is None:
        registry.register(DeclaredTask(task, queue))


def find_declared(name: str) -> DeclaredTask | None:
    """Return the declared task of this path, None if there is none in this process."""
    try:
        found = registry.get_task(name)
    except UnknownTask:
        return None
    return found if isinstance(found, DeclaredTask) else None


def find_in_module(task: Task[..., Any]) -> Task[..., Any] | None:
    """Return the task that the module of its function has under the function's name, None for anything else there."""
    module = sys.modules.get(task.func.__module__)
    found = reduce(lambda one, name: getattr(one, name, None), task.func.__qualname__.split("."), module)
    return found if isinstance(found, Task) and found.module_path == task.module_path else None


def require_known_to_workers(backend: BaseTaskBackend, task: Task[..., Any]) -> DeclaredTask:
    """Return the declared task. Raises InvalidTask for one that workers do not know, or know with other limits."""
    path, registered, canonical = task.module_path, find_declared(task.module_path), find_in_module(task)
    if registered is None or canonical is None:
        raise InvalidTask(f"{path} is not decorated with @task where it is defined.")
    for name in ("MAX_ATTEMPTS", "TIMEOUT_SECONDS"):
        if option(canonical.get_backend(), name) != option(backend, name):
            raise InvalidTask(
                f"{name} of backend {backend.alias!r} is not that of {canonical.backend!r}, for which {path} is declared."
            )
    if not (registered.is_declared_at_start or task.func.__module__ in option(backend, "MODULES")):
        raise InvalidTask(
            f"{task.func.__module__} is not imported when Django starts, so that workers do not know {path}: declare it in"
            " a module 'tasks' of an installed app, or name its module in OPTIONS['MODULES'] of the backend."
        )
    if len(path) > MAX_TASK_CHARS:
        raise InvalidTask(f"The path of a task has at most {MAX_TASK_CHARS} characters; {path} has {len(path)}.")
    return registered


def queue_of(backend: BaseTaskBackend, task: Task[..., Any]) -> str:
    """Return the queue of the engine on which jobs of this task go. Raises InvalidTask where there is none."""
    queue = engine_queue(backend, task.queue_name)
    if queue is None:
        known = ", ".join(engine_config().queues)
        raise InvalidTask(f"Queue '{task.queue_name}' is not valid for backend. There are {known}, and QUEUE_ALIASES.")
    return queue
