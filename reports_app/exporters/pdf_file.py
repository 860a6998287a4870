"""PDF: pages a manager would forward. Key figures, a map sketch or a chart, then the tables.

Bounded: a table shows its first rows and says how many were left out, so that it has no ten thousand pages. The sketch
is drawn from all of them.
"""

from __future__ import annotations

from pathlib import Path

from reports_app.exporters.base import Exporter
from reports_app.table import DisplaySettings, ReportTable


class PdfExporter(Exporter):
    """A4, landscape."""

    format = "pdf"
    label = "PDF"
    extension = "pdf"
    content_type = "application/pdf"
    is_for_people = True

    def write(self, table: ReportTable, target: Path, display: DisplaySettings) -> None:
        from reports_app.exporters.pdf_document import write_pdf

        write_pdf(table, target, display)
