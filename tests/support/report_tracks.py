"""Tracks small enough to check by hand, and the sections of a report of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from reports_app.models import ReportState
from reports_app.queries import stored_table
from reports_app.services.generation import generate_report
from reports_app.services.requests import create_report
from tasks_app.ingest.fix import Fix
from tasks_app.services.positions.store import store_fixes

# The fleet is in São Paulo: its midnight is 03:00 UTC.
DAY, NEXT_DAY, LATER = (datetime(2026, 3, day, 3, tzinfo=UTC) for day in (2, 3, 4))
ELEVEN = datetime(2026, 3, 2, 14, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ELSEWHERE = {"type": "Circle", "coordinates": [9.0, 9.0], "radius_meters": 100}
# On the equator, 0.01 degrees of longitude are 1.113195 km: 66.792 km/h when it takes a minute.
STEP_DEGREES, STEP_KM, STEP_KPH = 0.01, 1.113195, 66.792


def build(kind, device, range_start=DAY, range_end=LATER):
    report, _is_due = create_report(kind=kind, device=device, range_start=range_start, range_end=range_end)
    assert generate_report(report.pk)["state"] == ReportState.READY
    return {section.key: section for section in stored_table(report.pk).sections}


def rows(section) -> list[dict]:
    return [dict(zip((column.key for column in section.columns), row, strict=True)) for row in section.row_lists()]


def totals(section) -> dict:
    return dict(zip((column.key for column in section.columns), section.total_row(), strict=True))


def fix(device, minute, east, *, kph=None, altitude=None, **attributes) -> Fix:
    timestamp = ELEVEN + minute * MINUTE
    return Fix(
        device.unique_id, timestamp, 0.0, -46.0 + east, speed_kph=kph, altitude_meters=altitude, attributes=attributes
    )


def store(fixes) -> None:
    store_fixes(fixes, ELEVEN + timedelta(hours=5))


def drive(device, minutes=10, **attributes) -> list[Fix]:
    return [fix(device, n, n * STEP_DEGREES, kph=STEP_KPH, altitude=700 + n, **attributes) for n in range(minutes + 1)]
