"""Fresh planner statistics where much changed, and space of dead rows given back for use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from tasks_app.engine import PermanentError, current_job
from tasks_app.models import Position
from tasks_app.services.cleanup.runs import run_exclusively

# Autovacuum waits for a fifth of a table to be dead; once a week, off hours, we can be tidier.
MIN_ROWS = 1000
SHARE = 0.1

_FIGURES = """
    SELECT c.relname, s.n_live_tup, s.n_dead_tup, s.n_mod_since_analyze, pg_total_relation_size(c.oid), c.reltuples < 0,
           s.vacuum_count, s.analyze_count
    FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
    WHERE s.schemaname = current_schema() AND c.relkind = 'r' ORDER BY c.relname
"""


@dataclass(frozen=True, slots=True)
class TableFigures:
    """What PostgreSQL knows of one table."""

    name: str
    live_rows: int
    dead_rows: int
    changed_rows: int
    size_bytes: int
    was_never_analyzed: bool
    vacuums: int = 0
    analyzes: int = 0

    @property
    def needs_vacuum(self) -> bool:
        return self.dead_rows >= max(MIN_ROWS, SHARE * (self.live_rows + self.dead_rows))

    @property
    def needs_analyze(self) -> bool:
        return self.was_never_analyzed or self.changed_rows >= max(MIN_ROWS, SHARE * self.live_rows)


def optimize_tables(*, dry_run: bool = False) -> dict[str, Any]:
    """VACUUM (with ANALYZE) the tables with many dead rows, ANALYZE those that changed much, and nothing else.

    Neither holds up reading or writing; a table that someone has locked (autovacuum, say) is skipped. Returns vacuum,
    analyze, skipped (counts of tables), tables (each: what was done, dead rows and bytes before and after), seconds.
    Raises PermanentError inside a transaction, where PostgreSQL cannot VACUUM; JobCancelled.
    """
    if connection.in_atomic_block:
        raise PermanentError(_("The database cannot be optimized inside a transaction."))
    return run_exclusively("optimize_database", lambda: _optimize(dry_run))


def _optimize(dry_run: bool) -> dict[str, Any]:
    before = _figures()
    chosen = [table for table in before.values() if table.needs_vacuum or table.needs_analyze]
    for number, table in enumerate(chosen, start=1):
        current_job().raise_if_cancelled()
        if not dry_run:
            _run(table)
        current_job().progress(number, len(chosen), table.name)
    if chosen and not dry_run:
        # Nobody else ever analyzes the parent of the partitions, which the planner asks about queries across days.
        _execute(f"ANALYZE (SKIP_LOCKED) {connection.ops.quote_name(Position._meta.db_table)}")
    after = _figures()
    tables = [_report(table, after.get(table.name), dry_run) for table in chosen]
    counts = {verb: sum(table["did"] == verb for table in tables) for verb in ("vacuum", "analyze", "skipped")}
    return {"dry_run": dry_run, **counts, "tables": tables}


def _run(table: TableFigures) -> None:
    # A partition may be dropped while we work: VACUUM and ANALYZE of a name that is gone would fail the whole job.
    if table.name not in connection.introspection.table_names():
        return
    command = "VACUUM (ANALYZE, SKIP_LOCKED)" if table.needs_vacuum else "ANALYZE (SKIP_LOCKED)"
    _execute(f"{command} {connection.ops.quote_name(table.name)}")


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _figures() -> dict[str, TableFigures]:
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES)
        return {row[0]: TableFigures(*row) for row in cursor.fetchall()}


def _report(before: TableFigures, after: TableFigures | None, dry_run: bool) -> dict[str, Any]:
    return {
        "table": before.name,
        "did": _wanted(before) if dry_run or _was_tended(before, after) else "skipped",
        "dead_rows_before": before.dead_rows,
        "dead_rows_after": after.dead_rows if after else None,
        "bytes_before": before.size_bytes,
        "bytes_after": after.size_bytes if after else None,
    }


def _wanted(table: TableFigures) -> str:
    return "vacuum" if table.needs_vacuum else "analyze"


def _was_tended(before: TableFigures, after: TableFigures | None) -> bool:
    """Whether PostgreSQL counted it: a table that someone held locked was passed over without an error."""
    if after is None:
        return False
    return after.vacuums > before.vacuums if before.needs_vacuum else after.analyzes > before.analyzes
