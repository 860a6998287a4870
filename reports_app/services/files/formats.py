"""The formats that a report of a kind can be written in."""

from __future__ import annotations

from django.utils.translation import gettext as _

from reports_app.builders import KINDS_WITHOUT_PLACES
from reports_app.exceptions import InvalidReport
from reports_app.exporters import EXPORTERS, get_exporter


def formats_of(kind: str) -> list[str]:
    """Return the formats that a report of this kind can be written in, the most general first."""
    return [
        format
        for format, exporter in EXPORTERS.items()
        if not exporter.needs_places or kind not in KINDS_WITHOUT_PLACES
    ]


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
