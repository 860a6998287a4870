"""Daily reports: one for each fleet and local day that has ended."""

from __future__ import annotations

import logging
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from reports_app.exceptions import InvalidReport
from reports_app.models import ReportKind
from reports_app.periods import last_ended_day
from reports_app.services.requests.requesting import check_year, request_report
from tasks_app.geo.days import day_range
from tasks_app.models import Fleet

logger = logging.getLogger(__name__)

# Errors of ZoneInfo: for a name that this system does not know, and for one that is no name of a zone.
INVALID_ZONE = (KeyError, ValueError)


def generate_daily_reports(day: date | None = None, *, now: datetime | None = None) -> dict[str, Any]:
    """Request the daily report of every fleet, for `day` or for yesterday in the fleet's time zone.

    Each fleet has a job of its own, so that one that fails does not stop the others. A fleet in whose time zone the day
    has not ended is skipped: the report would lack the fixes still to come. Returns {"reports": [id], "skipped":
    [{"fleet_id", "reason"}]}.
    """
    now = now or timezone.now()
    reports: list[int] = []
    skipped: list[dict[str, Any]] = []
    for fleet in Fleet.objects.order_by("pk"):
        try:
            reports.append(_request_day(fleet, day, now))
        except (InvalidReport, *INVALID_ZONE) as error:
            logger.warning("No daily report for fleet %s: %s", fleet.pk, error)
            skipped.append({"fleet_id": fleet.pk, "reason": str(error)})
    return {"reports": reports, "skipped": skipped}


def run_daily_reports(day: str | None = None) -> dict[str, Any]:
    """Run the task generate_daily_reports; `day` is written YYYY-MM-DD. Raises InvalidReport (invalid_time,
    time_out_of_range)."""
    try:
        chosen = None if day is None else date.fromisoformat(day)
    except ValueError as error:
        detail = _("“%(text)s” is not a date like 2026-01-31.") % {"text": str(day)[:50]}
        raise InvalidReport("invalid_time", detail, field="day") from error
    if chosen is not None:
        check_year(chosen, "day")
    return generate_daily_reports(chosen)


def _request_day(fleet: Fleet, day: date | None, now: datetime) -> int:
    zone: ZoneInfo = fleet.zone
    range_start, range_end = day_range(day or last_ended_day(now, zone), zone)
    if range_end > now:
        raise InvalidReport(
            "day_not_over", _("The day is not over in %(zone)s.") % {"zone": fleet.time_zone}, field="day"
        )
    report = request_report(kind=ReportKind.DAILY, fleet=fleet, range_start=range_start, range_end=range_end)
    return report.pk
