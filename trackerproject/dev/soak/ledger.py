"""The ledger: which attempt began and ended when, and the effect each job must have exactly once.

Two plain tables outside of the models, so that no installation has them. Users call `create_ledger`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

LEDGER_TABLES = """
    CREATE TABLE IF NOT EXISTS ledger_mark (
        id bigserial PRIMARY KEY, job_id uuid NOT NULL, attempt int NOT NULL, pid int NOT NULL,
        what text NOT NULL, note text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
    CREATE INDEX IF NOT EXISTS ledger_mark_job ON ledger_mark (job_id);
    CREATE TABLE IF NOT EXISTS ledger_effect (job_id uuid PRIMARY KEY, attempt int NOT NULL, pid int NOT NULL);
    TRUNCATE ledger_mark, ledger_effect;
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark: attempt number `attempt` of a job passed the point `what` ("started" or "finished") at this time."""

    job_id: str
    attempt: int
    pid: int
    what: str
    note: str
    at: datetime


def create_ledger() -> None:
    """Make the tables, empty."""
    with connection.cursor() as cursor:
        cursor.execute(LEDGER_TABLES)


def write_mark(job_id: str, attempt: int, what: str, note: str) -> None:
    """Commit a mark at once, whatever happens to the job afterwards."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_mark (job_id, attempt, pid, what, note) VALUES (%s, %s, %s, %s, %s)",
            [job_id, attempt, os.getpid(), what, note],
        )


def write_effect(job_id: str, attempt: int, note: str) -> bool:
    """Have the job's effect, in one transaction with the mark of its end; return False where it was there already."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_effect (job_id, attempt, pid) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [job_id, attempt, os.getpid()],
        )
        is_first = cursor.rowcount == 1
        write_mark(job_id, attempt, "finished" if is_first else "repeated", note)
    return is_first


def read_marks(what: str = "", note: str = "") -> list[Mark]:
    """Return the marks, oldest first; only those of a kind or with a note when given."""
    query = "SELECT job_id, attempt, pid, what, note, at FROM ledger_mark WHERE %s IN ('', what) AND %s IN ('', note)"
    with connection.cursor() as cursor:
        cursor.execute(query + " ORDER BY id", [what, note])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return [Mark(str(job_id), *rest) for job_id, *rest in rows]


def count_effects() -> int:
    """Return how many jobs have had their effect."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_effect")
        return int(cursor.fetchone()[0])
