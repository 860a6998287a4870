"""Tasks as a third-party app declares them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.db import connection

try:
    from django.tasks import TaskContext, task
except ImportError:
    from django_tasks import TaskContext, task

if TYPE_CHECKING:
    from nowhere import Missing


@task
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@task(queue_name="cleanup", priority=50)
def echo(*args: Any, **kwargs: Any) -> Any:
    """Return the arguments."""
    return [list(args), kwargs]


@task
def typed_by_name(value: Missing) -> Missing:
    """Return a value of a type that exists for type checkers only."""
    return value


@task(takes_context=True)
def describe(context: TaskContext, note: str) -> list[Any]:
    """Return the context."""
    result = context.task_result
    return [note, result.id, context.attempt, result.status, result.task.queue_name, len(result.worker_ids)]


@task(takes_context=True, queue_name="positions")
def succeed_at(context: TaskContext, attempt: int) -> list[Any]:
    """Fail until this attempt."""
    if context.attempt < attempt:
        raise LookupError(f"attempt {context.attempt}")
    return [context.attempt, [error.exception_class_path for error in context.task_result.errors]]


@task
async def add_in_coroutine(a: int, b: int) -> int:
    """Add two numbers in a coroutine."""
    await asyncio.sleep(0)
    return a + b


@task
async def query_in_coroutine() -> int:
    """Ask the database from a coroutine."""

    def ask() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 42")
            return cursor.fetchone()[0]

    return await sync_to_async(ask)()


@task(queue_name="cleanup")
async def sleep_in_coroutine(seconds: float) -> str:
    """Sleep in a coroutine."""
    await asyncio.sleep(seconds)
    return "slept"


@task(queue_name="positions")
def sleep(seconds: float) -> str:
    """Sleep."""
    time.sleep(seconds)
    return "slept"


@task(queue_name="positions")
def fail(message: str) -> None:
    """Fail with this message."""
    raise ValueError(message)


@task
def return_object() -> object:
    """Return no JSON."""
    return object()


@task
def return_much(size: int) -> str:
    """Return a text of this size."""
    return "x" * size


@task
def leave_transaction_open() -> None:
    """End inside a transaction."""
    connection.set_autocommit(False)


def plain(number: int) -> int:
    """No task: nothing decorates it."""
    return number


class Holder:
    @staticmethod
    @task
    def inside(number: int) -> int:
        """Double a number."""
        return number * 2
