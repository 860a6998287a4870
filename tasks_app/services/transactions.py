"""Run a transaction again when PostgreSQL says that trying again is the answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import DatabaseError, connection, transaction

from tasks_app.engine.database import sqlstate

R = TypeVar("R")

DEADLOCK, SERIALIZATION, LOCK_TIMEOUT, FOREIGN_KEY = "40P01", "40001", "55P03", "23503"
_MAX_BACKOFF_SECONDS = 0.5
RETRYABLE = frozenset({DEADLOCK, SERIALIZATION, LOCK_TIMEOUT, FOREIGN_KEY})


def run_in_transaction(
    work: Callable[[], R],
    *,
    should_retry: Callable[[DatabaseError], bool] | None = None,
    max_attempts: int = 5,
    backoff_seconds: float = 0.02,
) -> R:
    """Return `work()`, run in one transaction, whole again after a deadlock or its like (and where `should_retry`).

    `work` must read everything it needs inside. Inside a caller's transaction only `should_retry` errors are tried
    again, on a savepoint: after a deadlock that whole transaction is lost, and its owner has to repeat it.
    """
    nested = connection.in_atomic_block
    attempt = 0
    while True:
        attempt += 1
        try:
            with transaction.atomic():
                return work()
        except DatabaseError as error:
            wanted = should_retry is not None and should_retry(error)
            transient = not nested and sqlstate(error) in RETRYABLE
            if attempt == max_attempts or not (wanted or transient):
                raise
        time.sleep(random.uniform(0, min(_MAX_BACKOFF_SECONDS, backoff_seconds * 2**attempt)))  # noqa: S311 - jitter, not a secret
