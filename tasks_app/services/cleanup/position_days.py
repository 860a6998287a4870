"""One day of positions, that is one partition: its plan, and deleting rows in batches.

Kept are, of every device, its last known position (that of its DeviceState) and those at whose time an event of the
device occurred; and everything of devices whose days to keep are not over.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from tasks_app.models import DeviceState, Event
from tasks_app.services.cleanup.runs import Run, scalar

# About 2 MiB, some 15 000 positions: deleted in well under a tenth of a second.
BATCH_PAGES = 256
# Of larger partitions PostgreSQL's own count is good enough: reading millions of rows takes longer than dropping them.
COUNT_UP_TO_ROWS = 100_000

_STATES, _EVENTS = DeviceState._meta.db_table, Event._meta.db_table
# Jumps from one device to the next through the primary key: costs devices, not positions.
_DEVICE_IDS = """
    WITH RECURSIVE found AS (
        (SELECT device_id FROM "{name}" ORDER BY device_id LIMIT 1)
        UNION ALL
        SELECT (SELECT p.device_id FROM "{name}" p WHERE p.device_id > found.device_id ORDER BY p.device_id LIMIT 1)
        FROM found WHERE found.device_id IS NOT NULL
    )
    SELECT device_id FROM found WHERE device_id IS NOT NULL
"""
_REFERENCES = f"""
    SELECT device_id, fix_time FROM {_STATES} WHERE fix_time >= %(start)s AND fix_time < %(end)s
    UNION SELECT device_id, occurred_at FROM {_EVENTS} WHERE occurred_at >= %(start)s AND occurred_at < %(end)s
"""  # noqa: S608 - constant table names
_COUNT_REFERENCED = f"""
    SELECT count(*) FROM ({_REFERENCES}) r JOIN "{{name}}" p USING (device_id, fix_time)
    WHERE device_id = ANY(%(going)s)
"""  # noqa: S608 - {name} is a partition's, from the catalogue; as below
_COPY_KEPT = f"""
    INSERT INTO "{{target}}" SELECT p.* FROM "{{name}}" p WHERE p.device_id = ANY(%(staying)s)
    UNION ALL SELECT p.* FROM ({_REFERENCES}) r JOIN "{{name}}" p USING (device_id, fix_time)
    WHERE p.device_id = ANY(%(going)s)
"""  # noqa: S608
_LACKS_KEPT = f"""
    SELECT EXISTS (
        SELECT FROM (
            {_REFERENCES} UNION ALL SELECT device_id, fix_time FROM "{{name}}" WHERE device_id = ANY(%(staying)s)
        ) k JOIN "{{name}}" p USING (device_id, fix_time) {{but_not}}
    )
"""  # noqa: S608
_NOT_IN_TARGET = """
    WHERE NOT EXISTS (SELECT FROM "{target}" t WHERE t.device_id = k.device_id AND t.fix_time = k.fix_time)
"""
_IS_GOING = f"""
    p.device_id = ANY(%(going)s)
    AND NOT EXISTS (SELECT FROM {_STATES} s WHERE s.device_id = p.device_id AND s.fix_time = p.fix_time)
    AND NOT EXISTS (SELECT FROM {_EVENTS} e WHERE e.device_id = p.device_id AND e.occurred_at = p.fix_time
                    AND e.occurred_at >= %(start)s AND e.occurred_at < %(end)s)
"""  # noqa: S608
_DELETE = f"""
    DELETE FROM "{{name}}" p WHERE p.ctid >= %(first)s::tid AND p.ctid < %(last)s::tid AND {_IS_GOING}
"""  # noqa: S608
_COPY_GOING = f'CREATE TABLE "{{target}}" AS SELECT p.* FROM "{{name}}" p WHERE {_IS_GOING}'  # noqa: S608
_DELETE_COPIED = f"""
    DELETE FROM "{{name}}" p USING "{{target}}" c
    WHERE c.ctid >= %(first)s::tid AND c.ctid < %(last)s::tid AND p.device_id = c.device_id AND p.fix_time = c.fix_time
      AND {_IS_GOING}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class DayPlan:
    """Plan for one partition: the devices in `going` lose their positions, those in `staying` keep them."""

    name: str
    day: date
    going: list[int]
    staying: list[int]
    rows: int
    kept_rows: int
    size_bytes: int

    @property
    def going_bytes(self) -> int:
        return int(self.size_bytes * self.rows / max(1, self.rows + self.kept_rows))

    @property
    def bounds(self) -> dict[str, Any]:
        """Parameters of the statements above."""
        start = datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC)
        return {"start": start, "end": start + timedelta(days=1), "going": self.going, "staying": self.staying}


def stored_device_ids(name: str) -> list[int]:
    """The devices with positions in this partition, ascending."""
    with connection.cursor() as cursor:
        cursor.execute(_DEVICE_IDS.format(name=name))
        return [device_id for (device_id,) in cursor.fetchall()]


def plan_day(name: str, day: date, going: list[int], staying: list[int]) -> DayPlan:
    """Count the rows to delete and to keep."""
    total = count_rows(name)
    plan = DayPlan(
        name, day, going, staying, 0, 0, int(scalar("SELECT pg_total_relation_size(%s::regclass)", f'"{name}"'))
    )
    referenced = _one(_COUNT_REFERENCED.format(name=name), plan.bounds)
    of_going = total
    if staying:
        of_going = scalar(f'SELECT count(*) FROM "{name}" WHERE device_id = ANY(%s)', going)  # noqa: S608
    rows = max(0, of_going - referenced)
    return DayPlan(name, day, going, staying, rows, referenced + max(0, total - of_going), plan.size_bytes)


def count_rows(name: str) -> int:
    """The rows of a table; of a large one as PostgreSQL last counted them."""
    estimate = int(scalar("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", f'"{name}"'))
    return estimate if estimate > COUNT_UP_TO_ROWS else int(scalar(f'SELECT count(*) FROM "{name}"'))  # noqa: S608


def copy_kept(plan: DayPlan, target: str) -> None:
    """Copy the kept rows of the day into `target`."""
    with connection.cursor() as cursor:
        cursor.execute(_COPY_KEPT.format(name=plan.name, target=target), plan.bounds)


def lacks_kept(plan: DayPlan, staying: Sequence[int], target: str | None) -> bool:
    """Whether the partition holds a row to keep that `target` (None: empty) lacks.

    `staying` are devices whose positions stay. Asked while nobody can write, so it costs references, not positions.
    """
    but_not = _NOT_IN_TARGET.format(target=target) if target else ""
    return bool(_one(_LACKS_KEPT.format(name=plan.name, but_not=but_not), {**plan.bounds, "staying": list(staying)}))


def copy_going(plan: DayPlan, target: str) -> None:
    """Make the table `target` of the rows to delete."""
    with connection.cursor() as cursor:
        cursor.execute(_COPY_GOING.format(name=plan.name, target=target), plan.bounds)


def delete_going(plan: DayPlan, run: Run, *, copied_to: str | None = None) -> int:
    """Delete rows of the day page range by page range, with a pause after each half as long as it took.

    With `copied_to` exactly the rows that are in that table. Returns how many went; raises JobCancelled in between.
    """
    statement = _DELETE_COPIED if copied_to else _DELETE
    sql = statement.format(name=plan.name, target=copied_to)
    pages, deleted = scalar("SELECT pg_relation_size(%s::regclass) / 8192", f'"{copied_to or plan.name}"'), 0
    for first in range(0, pages, BATCH_PAGES):
        if not run.has_time():
            break
        began = time.monotonic()
        places = {"first": f"({first},0)", "last": f"({first + BATCH_PAGES},0)"}
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, {**plan.bounds, **places})
            deleted += cursor.rowcount
        time.sleep(min(0.25, (time.monotonic() - began) / 2))
    return deleted


def _one(sql: str, values: dict[str, Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()[0]
