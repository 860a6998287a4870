"""Progress of an export: a table that reports each chunk to the current job, and stops when the job is cancelled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from reports_app.exporters import EXPORTERS
from reports_app.table import Chunk, ReportTable, Row
from tasks_app.engine import current_job


def with_progress(table: ReportTable, *, row_count: int, format: str) -> ReportTable:
    """Return `table`, of `row_count` rows in all, reporting progress while its rows are read."""
    counter = _Counter(row_count, _("writing %(format)s") % {"format": EXPORTERS[format].label})
    sections = [replace(section, rows=_RowsWithProgress(section.rows, counter)) for section in table.sections]
    return replace(table, sections=sections)


@dataclass(slots=True)
class _Counter:
    row_count: int
    message: str
    done: int = 0

    def add(self, rows: int) -> None:
        job = current_job()
        job.raise_if_cancelled()
        self.done += rows
        job.progress(min(self.done, self.row_count), self.row_count, self.message)


@dataclass(frozen=True, slots=True)
class _RowsWithProgress:
    rows: Iterable[Row | Chunk]
    counter: _Counter

    def __iter__(self) -> Iterator[Row | Chunk]:
        for chunk in self.rows:
            yield chunk
            self.counter.add(chunk.row_count if isinstance(chunk, Chunk) else 1)
