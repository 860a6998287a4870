"""Tasks that end, or speak of themselves, in ways that cannot be written down as they are."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import logging
import os
import signal
import sys
from typing import Any

import numpy
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from tasks_app.engine import JobCancelled, current_job, task

STRAY = "caf\udce9.gpx"


class NoText(Exception):
    def __str__(self) -> str:
        return None  # noqa: PLE0307 - the fault it is for


class NoRepr(Exception):
    def __str__(self) -> str:
        raise RuntimeError(STRAY)

    __repr__ = __str__


class LeavingText(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class Empty(Exception):
    def __len__(self) -> int:
        return 0


class NoClass(Exception):
    @property
    def __class__(self) -> type:
        raise RuntimeError("no class")


class Own(BaseException):
    pass


def in_a_circle() -> Exception:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    return first


def with_notes() -> Exception:
    error = ValueError("noted")
    error.__notes__ = [STRAY, "a\x00b", object()]
    return error


ERRORS = {
    "surrogate": lambda: ValueError(f"cannot read {STRAY}"),
    "nul": lambda: ValueError("a\x00b"),
    "no text": NoText,
    "no repr": NoRepr,
    "leaving text": LeavingText,
    "wrong placeholder": lambda: ValidationError("%(values)s is wrong", params={"value": 1}),
    "lazy": lambda: ValueError(gettext_lazy("Yes")),
    "huge": lambda: ValueError("x" * 5_000_000),
    "circle": in_a_circle,
    "notes": with_notes,
    "empty": Empty,
    "no class": NoClass,
    "class name": lambda: type("Caf\u00e9" * 100, (Exception,), {})("long"),
    "cancelled": lambda: asyncio.CancelledError("by its loop"),
    "generator": GeneratorExit,
    "group": lambda: BaseExceptionGroup("several", [KeyboardInterrupt(), ValueError(STRAY)]),
    "exit": lambda: SystemExit(STRAY),
    "interrupt": KeyboardInterrupt,
    "own": lambda: Own(STRAY),
    "deep": lambda: RecursionError(STRAY),
}
PROGRESS = {
    "lazy": lambda: (2, 3, gettext_lazy("Yes")),
    "safe": lambda: (2, 3, mark_safe("<b>")),
    "numpy": lambda: (numpy.int64(2), numpy.float64(3), "x"),
    "surrogate": lambda: (2, 3, STRAY),
    "nul": lambda: (2, 3, "a\x00b"),
    "nan": lambda: (float("nan"), float("inf"), "x"),
    "decimal": lambda: (decimal.Decimal("2"), 3, datetime.date(2026, 1, 1)),
    "huge": lambda: (10**5000, 10**5000, "x" * 5_000_000),
    "text": lambda: ("2", None, None),
    "no text": lambda: (2, 3, NoRepr()),
}


@task(queue="positions", max_attempts=1)
def poison_raise(kind: str) -> None:
    """Raise what cannot be put into words as it is."""
    raise ERRORS[kind]()


@task(queue="positions", max_attempts=1)
def poison_progress(kind: str) -> str:
    """Report progress in odd values, and log a line."""
    logging.getLogger("probe").warning("line")
    current_job().progress(1, 3, "begun")
    current_job().progress(*PROGRESS[kind]())
    return "done"


@task(queue="positions", max_attempts=1)
def poison_arguments(kind: str, items: list) -> str:
    """Change the arguments that were given."""
    items.append({"object": object(), "stray": STRAY, "itself": items}[kind])
    return "done"


@task(queue="positions", max_attempts=1)
def poison_own_lines() -> str:
    """Write into what is kept of the job, past its methods."""
    job = current_job()
    job.last_progress = {"current": object(), "message": STRAY}
    job.log_lines += [object(), STRAY, None]
    return "done"


@task(queue="reports", max_attempts=2)
def poison_retried() -> None:
    """Fail in words that cannot be stored, and be tried again later."""
    raise ValueError(STRAY)


@task(queue="positions", max_attempts=1)
def poison_cancelled_group() -> None:
    """Pass on a cancellation in a group, as a task group does."""
    raise BaseExceptionGroup("group", [JobCancelled("Cancelled while running.")])


def begun_by_hand() -> None:
    transaction.set_autocommit(False)
    Permission.objects.update(name="changed")


def broken_by_hand() -> None:
    transaction.set_autocommit(False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM nowhere")


def block_never_left() -> None:
    transaction.atomic().__enter__()
    Permission.objects.update(name="changed")


def block_left_by_an_error() -> None:
    transaction.atomic().__enter__()
    raise ValueError("in a block")


def closed_in_a_block() -> None:
    transaction.atomic().__enter__()
    connection.close()


OPEN_TRANSACTIONS = {
    "begun by hand": begun_by_hand,
    "broken by hand": broken_by_hand,
    "block never left": block_never_left,
    "block left by an error": block_left_by_an_error,
    "closed in a block": closed_in_a_block,
}


@task(queue="positions", max_attempts=1)
def poison_transaction(kind: str) -> str:
    """Leave a transaction open."""
    OPEN_TRANSACTIONS[kind]()
    return "done"


@task(queue="positions", max_attempts=1)
def poison_streams() -> None:
    """Close what logs are written to, and fail."""
    sys.stderr.close()
    sys.stdout.close()
    raise ValueError("nothing can be logged any more")


class Killing(Exception):
    """Its text ends the process."""

    def __str__(self) -> str:  # noqa: PLE0307
        os.kill(os.getpid(), signal.SIGKILL)


class Endless(Exception):
    """Its text never comes."""

    def __str__(self) -> str:  # noqa: PLE0307
        while True:
            pass


@task(queue="positions", max_attempts=1, timeout_seconds=1)
def poison_text(kind: str) -> None:
    """Raise an exception whose text ends the process, or never comes."""
    raise {"killing": Killing, "endless": Endless}[kind]


@task(queue="positions", max_attempts=3)
def poison_row(name: str) -> str:
    """Return quietly; the store of `deadly_store` dies over the row of one name."""
    return name


def deadly_store() -> None:
    """Let the writing of a row that holds PROBE_DEADLY_ROW end the process, as a fault in a C extension does."""
    from tasks_app.services.jobs import store as job_store

    word, encoded = os.environ["PROBE_DEADLY_ROW"], job_store._encoded

    def deadly(jobs: list) -> Any:
        if any(job.task == "poison_row" and job.args == [word] for job in jobs):
            os.kill(os.getpid(), signal.SIGKILL)
        return encoded(jobs)

    job_store._encoded = deadly


if os.environ.get("PROBE_DEADLY_ROW"):
    deadly_store()
