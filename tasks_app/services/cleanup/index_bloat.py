"""Indexes that are much larger than their rows need, without any extension: from sizes and the planner's statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

# Below this an index is not worth the trouble.
MIN_BYTES = 8 * 1024 * 1024
MAX_BLOAT = 0.5
_PAGE = 8192
# Of a page: 24 bytes header and 16 of a B-tree's own; 90 % are filled when an index is built.
_USABLE = (_PAGE - 24 - 16) * 0.9
# Of a row: its line pointer, the index tuple's header.
_PER_ROW = 4 + 8

# B-trees on plain columns only: the width of an expression is not known, other kinds are built otherwise.
_INDEXES = """
    SELECT i.relname, t.relname, pg_relation_size(i.oid), i.reltuples,
           (SELECT sum(s.avg_width) FROM unnest(x.indkey::int[]) AS key
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = key
            JOIN pg_stats s ON s.schemaname = current_schema() AND s.tablename = t.relname AND s.attname = a.attname)
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
    JOIN pg_am m ON m.oid = i.relam
    WHERE i.relnamespace = current_schema()::regnamespace AND i.relkind = 'i' AND m.amname = 'btree' AND x.indisvalid
      AND x.indexprs IS NULL AND i.reltuples >= 0 AND pg_relation_size(i.oid) >= %s
    ORDER BY pg_relation_size(i.oid) DESC
"""
_INVALID = r"""
    SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    WHERE i.relnamespace = current_schema()::regnamespace AND NOT x.indisvalid AND i.relname ~ '_cc(new|old)\d*$'
      AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = x.indrelid)
"""


@dataclass(frozen=True, slots=True)
class IndexFigures:
    """One B-tree. `row_bytes` is the mean width of its columns, None before the first ANALYZE."""

    name: str
    table: str
    size_bytes: int
    rows: float
    row_bytes: float | None

    @property
    def bloat(self) -> float:
        """The share of the index that its rows do not need, 0 to 1; 0 where it is unknown."""
        if not self.row_bytes or self.size_bytes <= 0:
            return 0.0
        aligned = -(-self.row_bytes // 8) * 8
        needed = (self.rows * (_PER_ROW + aligned) / _USABLE + 1) * _PAGE
        return max(0.0, 1 - needed / self.size_bytes)


def bloated_indexes(*, min_bytes: int = MIN_BYTES) -> list[IndexFigures]:
    """Indexes of which more than MAX_BLOAT is not needed, the largest first."""
    return [index for row in _rows(_INDEXES, min_bytes) if (index := IndexFigures(*row)).bloat > MAX_BLOAT]


def unfinished_indexes() -> list[str]:
    """Names of indexes left by an interrupted REINDEX CONCURRENTLY: unused, but maintained by every write."""
    return [name for (name,) in _rows(_INVALID)]


def _rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall()
