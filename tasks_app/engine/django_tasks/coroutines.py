"""Coroutine functions in a worker, which interrupts its main thread only."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import async_to_sync

from tasks_app.engine.errors import JobInterrupted


def run_coroutine(function: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kwargs: Any) -> Any:
    """Run a coroutine function to its end. A time limit or a cancellation of the job cancels it and waits for its end.

    `async_to_sync` runs it in a thread of its own while this one waits for it and runs its database queries. Without the
    cancellation it would go on there, beside the jobs that follow.
    """
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []
    ended = threading.Event()

    async def run() -> Any:
        if current := asyncio.current_task():
            running.append((asyncio.get_running_loop(), current))
        try:
            return await function(*args, **kwargs)
        finally:
            ended.set()

    try:
        return async_to_sync(run)()
    except JobInterrupted:
        for loop, current in running:
            loop.call_soon_threadsafe(current.cancel)
            # Without a limit, as for other tasks: the supervisor kills a worker whose job does not end.
            ended.wait()
        raise
