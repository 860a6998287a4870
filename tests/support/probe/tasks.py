"""Tasks whose effects a test can see. Those that must be seen across processes write to a Redis list."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from tasks_app.engine import PermanentError, current_job, task
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.live import find_live_job
from tests.support.probe import batched as batched
from tests.support.probe import crashes as crashes
from tests.support.probe import lanes as lanes
from tests.support.probe import poison as poison
from tests.support.probe.ledger import ledger as ledger
from tests.support.probe.ledger import note as note


@task(queue="positions", schedulable=True)
def probe_add(a: int, b: int = 1) -> int:
    """Return the sum."""
    return a + b


@task(queue="positions", keeps_successes=False, max_attempts=2)
def probe_unkept(failures: int = 0) -> int:
    """Return the number of the attempt, after failing so many times; a success leaves no row."""
    if current_job().attempt <= failures:
        raise ValueError("not yet")
    return current_job().attempt


@task(queue="positions", max_attempts=1)
def probe_call_and_wait() -> int:
    """Wait for a job of the same queue."""
    return probe_add.delay(1).get(5)


@task(queue="positions")
def probe_note(text: str) -> None:
    """Write a line to the ledger."""
    note(text)


@task(queue="positions", max_attempts=2)
def probe_fail(message: str) -> None:
    """Raise."""
    raise ValueError(message)


@task(queue="positions")
def probe_fail_for_good(message: str) -> None:
    """Raise an error that is not tried again."""
    raise PermanentError(message)


@task(queue="positions")
def probe_return(kind: str) -> object:
    """Return something that cannot be stored."""
    return {"nan": float("nan"), "object": object(), "huge": "x" * 50_000_000, "nul": "a\x00b"}[kind]


@task(queue="positions", timeout_seconds=1, max_attempts=1)
def probe_too_long() -> None:
    """Run longer than the time limit."""
    note("too_long started")
    time.sleep(60)


@task(queue="positions", max_attempts=1)
def probe_sleep(seconds: float, text: str) -> str:
    """Sleep, leaving marks before and after; stop when cancelled."""
    note(f"{text} started {os.getpid()}")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        current_job().raise_if_cancelled()
        time.sleep(0.02)
    note(f"{text} finished")
    return text


@task(queue="positions", max_attempts=1)
def probe_deaf(text: str) -> None:
    """Sleep long, never looking whether it is cancelled."""
    note(f"{text} started {os.getpid()}")
    time.sleep(60)


@task(queue="positions", max_attempts=1)
def probe_sys_exit() -> None:
    """Leave as a script does."""
    sys.exit(3)


@task(queue="positions")
def probe_die(how: str) -> None:
    """End the worker process in one of the ugly ways."""
    note(f"die {os.getpid()}")
    if how == "exit":
        os._exit(3)
    if how == "sys.exit":
        sys.exit(3)
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "out of memory":
        # What the kernel's out-of-memory killer does.
        os.kill(os.getpid(), signal.SIGKILL)
    ctypes.string_at(0)


@task(queue="reports")
def probe_progress(total: int) -> int:
    """Report progress."""
    for done in range(1, total + 1):
        current_job().progress(done, total, "counting")
    return total


@task(queue="positions")
def probe_secret(credentials: dict) -> None:
    """Take something that must not be shown."""


@task(queue="positions", keeps_successes=False)
def probe_shown_progress(password: str) -> None:
    """Report progress with a secret in it, and note what is shown of it meanwhile."""
    current_job().progress(1, 2, f"as {password}")
    shown = find_live_job(client(), str(current_job().id))
    note(shown.progress["message"] if shown and shown.progress else "nothing")


@task(queue="positions")
def probe_count(items: list) -> int:
    """Return how many items there are."""
    return len(items)


@task(queue="positions")
def probe_log(lines: int) -> None:
    """Log some lines."""
    for number in range(lines):
        logging.getLogger("probe").warning("line %d", number)


@task(queue="positions", timeout_seconds=1)
def probe_stubborn(how: str) -> None:
    """Pass the time limit without ending: in a C loop that hears no signal, swallowing all, or with a child process."""
    note(f"{how} started {os.getpid()}")
    if how == "parent" and current_job().attempt == 1:
        # The job begins anew when its worker is killed: a test waits for one child, and leaves none behind.
        child = subprocess.Popen(["sleep", "1000"])
        note(f"child {child.pid}")
    if how == "loop":
        sum(range(10**13))
    while True:
        try:
            time.sleep(60)
        except BaseException:  # noqa: BLE001
            note(f"{how} swallowed")


def sum_up(results: Iterable[tuple[Sequence[int], int]]) -> dict[str, int]:
    """Return the results by the indexes of their items."""
    return {str(index): result for indexes, result in results for index in indexes}


@task(queue="positions", max_attempts=1, combine=sum_up)
def probe_part(number: int, text: str = "part") -> int:
    """Write a line to the ledger, return the number; fail for a negative one."""
    note(f"{text} {number}")
    if number < 0:
        raise PermanentError(f"no {number}")
    return number


def one_by_one(numbers: list[int]) -> list[tuple[list[int], tuple[list[int]]]]:
    """Return a part for each number."""
    return [([place], ([number],)) for place, number in enumerate(numbers)]


@task(queue="positions", max_attempts=2, split=one_by_one, combine=sum_up, lane=lambda numbers: f"key {numbers[0]}")
def probe_split(numbers: list[int]) -> int:
    """Write a line to the ledger for a part, return its number; fail for a negative one, above 100 at the first attempt."""
    (number,) = numbers
    note(f"part {number}")
    if number < 0:
        raise PermanentError(f"no {number}")
    if number > 100 and current_job().attempt == 1:
        raise ValueError(f"not yet {number}")
    return number


@task(queue="positions")
def probe_return_numbers(*numbers: int) -> list[int]:
    """Return the numbers as a list."""
    return list(numbers)


@task(queue="reports")
def probe_total(numbers: list[int], text: str = "total") -> int:
    """Write the sum to the ledger and return it."""
    note(f"{text} {sum(numbers)}")
    return sum(numbers)


@task(queue="reports")
def probe_result(result: Any, text: str = "result") -> Any:
    """Write a result to the ledger."""
    note(f"{text} {result}")
    return result


@task(queue="reports")
def probe_error(job_id: str, error_class: str, error_message: str, text: str = "error") -> None:
    """Write an error to the ledger."""
    note(f"{text} {error_class}: {error_message}")


def broken_key() -> str:
    return f"{engine_config().prefix}:broken"


def break_down(*names: str) -> None:
    """Let `probe_flaky` fail for these names, and for no others."""
    client().delete(broken_key())
    if names:
        client().sadd(broken_key(), *names)


@task(queue="positions", max_attempts=1)
def probe_flaky(name: str) -> str:
    """Write a line to the ledger and return the name; fail while it is broken."""
    note(f"ran {name}")
    if client().sismember(broken_key(), name):
        raise PermanentError(f"{name} is broken")
    return name


@task(queue="reports")
def probe_hook(job_id: str) -> None:
    """Write the id of a job that ended to the ledger."""
    note(f"hook {job_id}")
