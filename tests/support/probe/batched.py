"""Batched tasks whose calls a test can see."""

from __future__ import annotations

import ctypes
import logging
import os
import time
from typing import Any

from tasks_app.engine import BatchCall, PermanentError, current_job, task
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client

# The calls of each batch that was run in this process.
CALLS: list[list[BatchCall]] = []


def batches_key() -> str:
    return f"{engine_config().prefix}:batches"


def batches() -> list[str]:
    """Return the texts of each call of the batch function, in any process: "a b c"."""
    return [entry.decode() for entry in client().lrange(batches_key(), 0, -1)]


def answer_together(calls: list[BatchCall]) -> Any:
    """Return the texts in capitals; some texts do something else."""
    CALLS.append(calls)
    texts = [call.arguments["text"] for call in calls]
    client().rpush(batches_key(), " ".join(texts))
    kind = texts[0].removeprefix("answer ")
    if kind != texts[0]:
        wrong = {"short": ["A"], "long": ["A"] * (len(calls) + 1), "none": None, "text": "AB", "generator": iter("AB")}
        return wrong[kind]
    return [_one(text) for text in texts]


def _one(text: str) -> object:
    if text == "poison":
        raise ValueError("poison")
    if text == "permanent":
        raise PermanentError("permanent")
    if text == "exit":
        os._exit(3)
    if text == "segfault":
        ctypes.string_at(0)
    if text == "log":
        logging.getLogger("probe").warning("a line")
        current_job().progress(1, 2, "half")
    if text.startswith("sleep"):
        until = time.monotonic() + float(text.removeprefix("sleep"))
        while time.monotonic() < until:
            current_job().raise_if_cancelled()
            time.sleep(0.02)
    if text == "refuse":
        return ValueError("refused")
    return object() if text == "object" else text.upper()


@task(queue="positions", max_attempts=2, batch=answer_together, max_batch=20, max_batch_bytes=10_000)
def probe_batched(text: str, times: int = 1) -> object:
    """Return the text in capitals."""
    client().rpush(batches_key(), text)
    answer = _one(text)
    if isinstance(answer, Exception):
        raise answer
    return answer


@task(queue="positions", max_attempts=1, timeout_seconds=1, batch=answer_together, max_batch=20)
def probe_batched_other(text: str) -> object:
    """Return the text in capitals, within a second."""
    client().rpush(batches_key(), text)
    return _one(text)


def log_passwords(calls: list[BatchCall]) -> list[None]:
    """Log the hidden argument of each call, and give that of the last one as progress."""
    for call in calls:
        logging.getLogger("probe").warning("for %s", call.arguments["password"])
    current_job().progress(1, 1, f"for {calls[-1].arguments['password']}")
    return [None] * len(calls)


@task(queue="positions", batch=log_passwords, max_batch=20)
def probe_batched_secret(password: str) -> None:
    """Take a password, which a batch logs."""
