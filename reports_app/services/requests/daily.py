"""The daily report of every fleet, written once for each local day that ended."""

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
from reports_app.services.requests.requesting import request_report
from tasks_app.geo.days import day_range
from tasks_app.models import Fleet

logger = logging.getLogger(__name__)


def generate_daily_reports(day: date | None = None, *, now: datetime | None = None) -> dict[str, Any]:
    """Request the daily report of every fleet: of `day`, else of the fleet's own yesterday. One job each, so that a
    broken fleet never stops the others. Return {"reports": [id], "skipped": [{"fleet_id", "reason"}]}.

    A day that has not ended in a fleet's time zone is skipped there: its report would miss fixes for ever.
    """
    now = now or timezone.now()
    reports: list[int] = []
    skipped: list[dict[str, Any]] = []
    for fleet in Fleet.objects.order_by("pk"):
        try:
            reports.append(_request_day(fleet, day, now))
        except (
            InvalidReport,
            KeyError,
            ValueError,
        ) as error:  # an unknown zone is a KeyError, a malformed one a ValueError
            logger.warning("No daily report for fleet %s: %s", fleet.pk, error)
            skipped.append({"fleet_id": fleet.pk, "reason": str(error)})
    return {"reports": reports, "skipped": skipped}


def run_daily_reports(day: str | None = None) -> dict[str, Any]:
    """The job behind generate_daily_reports; `day` as YYYY-MM-DD. Raises InvalidReport (invalid_time)."""
    try:
        chosen = None if day is None else date.fromisoformat(day)
    except ValueError as error:
        detail = _("“%(text)s” is not a date like 2026-01-31.") % {"text": str(day)[:50]}
        raise InvalidReport("invalid_time", detail, field="day") from error
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
