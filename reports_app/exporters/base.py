"""The contract of an exporter: one file format, written from any table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from reports_app.table import ReportTable


class Exporter(ABC):
    """Writes one format. Stateless; knows tables, never a report's kind."""

    format: str
    extension: str
    content_type: str

    @abstractmethod
    def write(self, table: ReportTable, target: Path) -> None:
        """Write `table` to the new file `target`, row by row, in memory that does not grow with the rows.

        Anything else it needs on the way stays in the folder of `target`, which the caller deletes. Texts are written
        in the active language. Raises OSError when the disk refuses; the caller then throws `target` away.
        """
