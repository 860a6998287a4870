"""Fresh planner statistics where much changed, space of dead rows given back for use, bloated indexes built anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from tasks_app.engine import PermanentError, current_job
from tasks_app.models import Position
from tasks_app.queries.retention import is_business_time, seconds_until_business
from tasks_app.services.cleanup.index_bloat import IndexFigures, bloated_indexes, unfinished_indexes
from tasks_app.services.cleanup.runs import Run, run_exclusively, scalar, window_seconds

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
    """Statistics of PostgreSQL about one table."""

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


def optimize_tables(
    *, now: datetime, dry_run: bool = False, force: bool = False, max_seconds: float | None = None
) -> dict[str, Any]:
    """VACUUM (with ANALYZE) the tables with many dead rows, ANALYZE those that changed much, REINDEX bloated indexes.

    None of it holds up reading or writing; a table that someone has locked (autovacuum, say) is skipped. In business
    hours nothing is done unless `force`, and a run ends when they begin. Returns vacuum, analyze, reindex, skipped
    (counts), `optimized` (each: what was done, dead rows and bytes before and after) and the figures of the run, whose
    bytes are those that became free. Raises PermanentError inside a transaction, where PostgreSQL cannot VACUUM;
    JobCancelled.
    """
    if connection.in_atomic_block:
        raise PermanentError(_("The database cannot be optimized inside a transaction."))
    if not force and not dry_run and is_business_time(now):
        return {"skipped": "business hours"}
    window = window_seconds(max_seconds)
    if not force:
        window = min(window, seconds_until_business(now))
    return run_exclusively("optimize_database", _optimize, dry_run=dry_run, max_seconds=window)


def _optimize(run: Run) -> dict[str, Any]:
    if not run.dry_run:
        _drop_unfinished(run)
    reports = _tend_tables(run) + _rebuild_indexes(run)
    for report in reports:
        after = report["bytes_before"] if report["bytes_after"] is None else report["bytes_after"]
        run.add(report["table"], 0, max(0, report["bytes_before"] - after))
    verbs = ("vacuum", "analyze", "reindex", "skipped")
    return {**{verb: sum(report["did"] == verb for report in reports) for verb in verbs}, "optimized": reports}


def _tend_tables(run: Run) -> list[dict[str, Any]]:
    before = _figures()
    chosen = [table for table in before.values() if table.needs_vacuum or table.needs_analyze]
    for number, table in enumerate(chosen, start=1):
        if not run.has_time():
            break
        if not run.dry_run:
            _tend(table, run)
        current_job().progress(number, len(chosen), table.name)
    if chosen and not run.dry_run and run.has_time():
        # Nobody else ever analyzes the parent of the partitions, which the planner asks about queries across days.
        _execute(f"ANALYZE (SKIP_LOCKED) {connection.ops.quote_name(Position._meta.db_table)}", run)
    after = _figures()
    return [_report(table, after.get(table.name), run.dry_run) for table in chosen]


def _tend(table: TableFigures, run: Run) -> None:
    # A partition may be dropped while we work: VACUUM and ANALYZE of a name that is gone would fail the whole job.
    if not _exists(table.name):
        return
    command = "VACUUM (ANALYZE, SKIP_LOCKED)" if table.needs_vacuum else "ANALYZE (SKIP_LOCKED)"
    _execute(f"{command} {connection.ops.quote_name(table.name)}", run)


def _rebuild_indexes(run: Run) -> list[dict[str, Any]]:
    reports, chosen = [], bloated_indexes()
    for number, index in enumerate(chosen, start=1):
        if not run.has_time():
            break
        if not run.dry_run and _exists(index.name):
            _execute(f"REINDEX INDEX CONCURRENTLY {connection.ops.quote_name(index.name)}", run)
            _drop_unfinished(run)
        reports.append(_index_report(index, run))
        current_job().progress(number, len(chosen), index.name)
    return reports


def _index_report(index: IndexFigures, run: Run) -> dict[str, Any]:
    size = scalar("SELECT pg_relation_size(to_regclass(%s))", connection.ops.quote_name(index.name))
    return {
        "table": index.table,
        "index": index.name,
        "did": "reindex",
        "bloat_percent": round(index.bloat * 100),
        "bytes_before": index.size_bytes,
        "bytes_after": None if run.dry_run else size,
    }


def _drop_unfinished(run: Run) -> None:
    for name in unfinished_indexes():
        _execute(f"DROP INDEX CONCURRENTLY IF EXISTS {connection.ops.quote_name(name)}", run)


def _exists(name: str) -> bool:
    return scalar("SELECT to_regclass(%s)", connection.ops.quote_name(name)) is not None


def _execute(sql: str, run: Run) -> None:
    with run.interruptible(), connection.cursor() as cursor:
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
