"""Claims of lanes in PostgreSQL, which fence the transactions of a former holder (see `engine.records.JobStore`).

A transaction that holds its lane keeps the row locked against the next claim, so it commits before that claim or not at all. A
frozen holder cannot keep the row for long: PostgreSQL ends its transaction once it has been idle for as long as a silent worker
is believed.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError

from tasks_app.engine.config import engine_config
from tasks_app.engine.database import sqlstate
from tasks_app.services.transactions import LOCK_TIMEOUT

LOCK_TIMEOUT_MS = 500
_CLAIM = (
    "INSERT INTO tasks_app_lanelease AS former (queue, lane, epoch, holder, taken_at)"
    " SELECT %s, number, 1, %s, now() FROM unnest(%s::int[]) AS number ORDER BY number"
    " ON CONFLICT (queue, lane) DO UPDATE"
    " SET epoch = former.epoch + 1, holder = excluded.holder, taken_at = excluded.taken_at"
    " RETURNING lane, epoch"
)
_HOLD = (
    "SELECT lane, epoch, set_config('idle_in_transaction_session_timeout', %s, true) FROM tasks_app_lanelease"
    " WHERE queue = %s AND lane = ANY(%s) ORDER BY lane FOR SHARE"
)


def claim_lanes(queue: str, lanes: list[int], holder: str) -> dict[int, int]:
    """Note the new holder of these lanes; return the next epoch of each that no former holder's transaction keeps."""
    try:
        return _claim(queue, lanes, holder)
    except OperationalError as error:
        if sqlstate(error) != LOCK_TIMEOUT:
            raise
        if len(lanes) == 1:
            return {}
    claimed: dict[int, int] = {}
    for lane in lanes:
        claimed |= claim_lanes(queue, [lane], holder)
    return claimed


def _claim(queue: str, lanes: list[int], holder: str) -> dict[int, int]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LOCK_TIMEOUT_MS}ms"])
        cursor.execute(_CLAIM, [queue, holder, lanes])
        return dict(cursor.fetchall())


def hold_lanes(queue: str, lanes: Collection[int]) -> dict[int, int]:
    """Let nobody claim these lanes before the present transaction ends; return the epochs of those that were claimed."""
    if not connection.in_atomic_block:
        raise TransactionManagementError("hold_lanes() holds lanes until the end of a transaction, and there is none.")
    idle_ms = int(engine_config().dead_after_seconds * 1000)
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [f"{idle_ms}ms", queue, list(lanes)])
        return {lane: epoch for lane, epoch, _ in cursor.fetchall()}
