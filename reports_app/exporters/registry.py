"""Which exporter writes which format."""

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
# Kinds whose tables have no coordinates: geographic formats do not exist for them.
WITHOUT_PLACES = frozenset({"summary", "visits"})


def get_exporter(format: str) -> Exporter:
    """The exporter of `format`. Raises InvalidReport (unknown_format)."""
    if format not in EXPORTERS:
        detail = _("Unknown format “%(format)s”; known are %(known)s.")
        raise InvalidReport(
            "unknown_format", detail % {"format": format, "known": ", ".join(EXPORTERS)}, field="format"
        )
    return EXPORTERS[format]


def formats_of(kind: str) -> list[str]:
    """The formats a report of this kind can be written in, the most general first."""
    return [format for format, exporter in EXPORTERS.items() if not exporter.needs_places or kind not in WITHOUT_PLACES]


def check_format(kind: str, format: str) -> None:
    """Raise InvalidReport (unknown_format, format_without_places) unless reports of this kind exist in this format."""
    get_exporter(format)
    if format not in formats_of(kind):
        detail = _(
            "A report of the kind “%(kind)s” has no places for a file of the format %(format)s; choose %(known)s."
        )
        known = ", ".join(formats_of(kind))
        raise InvalidReport(
            "format_without_places", detail % {"kind": kind, "format": format, "known": known}, field="format"
        )
