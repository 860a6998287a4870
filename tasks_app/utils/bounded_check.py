"""Questions to servers that may not answer: each asked in a thread, and given up after a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class BoundedCheck(Generic[T]):
    """A question, asked once at a time: while a server hangs, so does one thread, which no process waits for at its end."""

    def __init__(self, name: str, ask: Callable[[], T], *, otherwise: T) -> None:
        self.otherwise = otherwise
        self._name = name
        self._ask = ask
        self._lock = threading.Lock()
        self._asked: Future[T] | None = None

    def begin(self) -> Future[T]:
        """Ask, unless an asking is still without its answer; return the answer that is to come."""
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked = Future()
                threading.Thread(target=self._run, args=(self._asked,), name=f"check-{self._name}", daemon=True).start()
            return self._asked

    def _run(self, asked: Future[T]) -> None:
        try:
            asked.set_result(self._ask())
        except Exception as error:  # noqa: BLE001 - raised where the answer is taken
            asked.set_exception(error)


def answers(checks: Sequence[BoundedCheck[Any]], seconds: float) -> list[Any]:
    """Return the answers to these questions, `otherwise` of those that have none within `seconds`.

    Raises what a question raises.
    """
    asked = [check.begin() for check in checks]
    wait(asked, seconds)
    return [one.result() if one.done() else check.otherwise for check, one in zip(checks, asked, strict=True)]
