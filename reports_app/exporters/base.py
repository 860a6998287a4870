"""The contract of an exporter: one file format, written from any table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from reports_app.table import DisplaySettings, ReportTable


class Exporter(ABC):
    """Writes one format. Stateless; knows tables, never a report's kind.

    `label`: the name of the format. `is_for_people`: a file is in the language, time zone and units of `display`; without
    it all users get the same file. `needs_places`: only tables with coordinates can be written.
    """

    format: str
    label: str
    extension: str
    content_type: str
    is_for_people: bool = False
    needs_places: bool = False

    @abstractmethod
    def write(self, table: ReportTable, target: Path, display: DisplaySettings) -> None:
        """Write `table` to the new file `target`, chunk by chunk, in memory that does not grow with the rows.

        Temporary files go to the folder of `target`, which the caller deletes. Texts are written in the active
        language. Raises OSError on errors of the disk; the caller then deletes `target`. Raises InvalidReport
        (no_places) when the format needs coordinates and the table has none.
        """
