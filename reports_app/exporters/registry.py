"""The exporter of each format, the most general format first."""

from __future__ import annotations

from django.utils.translation import gettext as _

from reports_app.exceptions import InvalidReport
from reports_app.exporters.base import Exporter
from reports_app.exporters.csv_file import CsvExporter
from reports_app.exporters.geojson_file import GeoJsonExporter
from reports_app.exporters.gpx_file import GpxExporter
from reports_app.exporters.json_file import JsonExporter
from reports_app.exporters.kml_file import KmlExporter
from reports_app.exporters.pdf_file import PdfExporter
from reports_app.exporters.xlsx_file import XlsxExporter

EXPORTERS: dict[str, Exporter] = {
    exporter.format: exporter
    for exporter in (
        JsonExporter(),
        CsvExporter(),
        XlsxExporter(),
        PdfExporter(),
        GeoJsonExporter(),
        GpxExporter(),
        KmlExporter(),
    )
}


def get_exporter(format: str) -> Exporter:
    """The exporter of `format`. Raises InvalidReport (unknown_format)."""
    if format not in EXPORTERS:
        detail = _("Unknown format “%(format)s”; known are %(known)s.")
        raise InvalidReport(
            "unknown_format", detail % {"format": format, "known": ", ".join(EXPORTERS)}, field="format"
        )
    return EXPORTERS[format]
