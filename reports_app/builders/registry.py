"""Which builder makes which kind of report."""

from __future__ import annotations

from django.utils.translation import gettext as _

from reports_app.builders import detailed, events, fleet, fuel, overspeed, route, stops, summary, trips, visits
from reports_app.builders.base import Builder
from reports_app.exceptions import InvalidReport
from reports_app.models import Report, ReportKind
from reports_app.table import ReportTable

BUILDERS: dict[str, Builder] = {
    ReportKind.SUMMARY: summary.build,
    ReportKind.DETAILED: detailed.build,
    ReportKind.ROUTE: route.build,
    ReportKind.TRIPS: trips.build,
    ReportKind.STOPS: stops.build,
    ReportKind.EVENTS: events.build,
    ReportKind.VISITS: visits.build,
    ReportKind.OVERSPEED: overspeed.build,
    ReportKind.FUEL: fuel.build,
    ReportKind.FLEET: fleet.build,
    ReportKind.DAILY: fleet.build,
}


def build_table(report: Report) -> ReportTable:
    """The table of `report`. Raises InvalidReport (unknown_kind, too_many_rows, ...)."""
    if report.kind not in BUILDERS:
        raise InvalidReport("unknown_kind", _("Unknown kind “%(kind)s”.") % {"kind": report.kind}, field="kind")
    return BUILDERS[report.kind](report)
