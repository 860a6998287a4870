"""Options of a backend in the setting TASKS, and what is wrong with them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

from tasks_app.engine.config import engine_config
from tasks_app.engine.django_tasks.framework import BaseTaskBackend
from tasks_app.engine.enqueueing import MAX_TIMEOUT_SECONDS

PARAMETERS = frozenset({"BACKEND", "QUEUES", "OPTIONS"})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_names(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(name, str) for pair in value.items() for name in pair)


# Name > (default, whether a value is one, what it must be).
OPTIONS: dict[str, tuple[Any, Callable[[Any], bool], str]] = {
    "QUEUE_ALIASES": ({}, _is_names, "a dict of names for queues, {'default': 'reports'}"),
    "MODULES": (
        [],
        lambda value: isinstance(value, list | tuple) and all(isinstance(name, str) for name in value),
        "a list of modules that declare tasks",
    ),
    "MAX_ATTEMPTS": (
        None,
        lambda value: _is_number(value) and value >= 1 and value == int(value),
        "a whole number from 1",
    ),
    "TIMEOUT_SECONDS": (
        None,
        lambda value: _is_number(value) and 0 < value <= MAX_TIMEOUT_SECONDS,
        f"a number of seconds, at most {MAX_TIMEOUT_SECONDS}",
    ),
    "ENQUEUE_ON_COMMIT": (False, lambda value: isinstance(value, bool), "True or False"),
}


def option(backend: BaseTaskBackend, name: str) -> Any:
    """Return the value of an option, its default where it is not given or not valid."""
    default, is_valid, _ = OPTIONS[name]
    value = backend.options.get(name, default)
    return value if is_valid(value) else default


def engine_queue(backend: BaseTaskBackend, queue_name: str) -> str | None:
    """Return the queue of the engine that a queue name of the framework stands for, None for none."""
    queue: str = option(backend, "QUEUE_ALIASES").get(queue_name, queue_name)
    return queue if queue in engine_config().queues else None


def queue_name_of(backend: BaseTaskBackend, queue: str, preferred: str) -> str:
    """Return a queue name that stands for this queue of the engine: the preferred one if it does."""
    names = [preferred, queue, *option(backend, "QUEUE_ALIASES")]
    allowed = [name for name in names if not backend.queues or name in backend.queues]
    return next((name for name in allowed if engine_queue(backend, name) == queue), preferred)


def problems_of(backend: BaseTaskBackend, params: dict[str, Any]) -> list[str]:
    """Return a sentence for everything in TASKS[alias] that has no meaning or cannot work."""
    return [*_option_problems(params), *_queue_problems(backend), *_module_problems(backend)]


def _option_problems(params: dict[str, Any]) -> Iterator[str]:
    for name in sorted(set(params) - PARAMETERS):
        yield f"[{name!r}] has no meaning: options of this backend are in OPTIONS ({', '.join(OPTIONS)})."
    for name, value in params.get("OPTIONS", {}).items():
        if name not in OPTIONS:
            yield f"['OPTIONS'][{name!r}] has no meaning: there are {', '.join(OPTIONS)}."
        elif not OPTIONS[name][1](value):
            yield f"['OPTIONS'][{name!r}] must be {OPTIONS[name][2]}."


def _queue_problems(backend: BaseTaskBackend) -> Iterator[str]:
    known = ", ".join(engine_config().queues)
    aliases = option(backend, "QUEUE_ALIASES")
    for name, queue in sorted(aliases.items()):
        if queue not in engine_config().queues:
            yield f"['OPTIONS']['QUEUE_ALIASES'] leads to {queue!r}, which is no queue: there are {known}."
        if backend.queues and name not in backend.queues:
            yield f"['OPTIONS']['QUEUE_ALIASES'] has {name!r}, which is not in QUEUES and so never used."
    for name in sorted(backend.queues - set(aliases) - set(engine_config().queues)):
        yield f"['QUEUES'] has {name!r}, which is no queue ({known}): name the queue in OPTIONS['QUEUE_ALIASES']."


def _module_problems(backend: BaseTaskBackend) -> Iterator[str]:
    for module in option(backend, "MODULES"):
        try:
            is_found = importlib.util.find_spec(module) is not None
        except (ImportError, ValueError):
            is_found = False
        if not is_found:
            yield f"['OPTIONS']['MODULES'] has {module!r}, which is no module."
