"""Reports on a track small enough to check by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from reports_app.models import Report, ReportState
from reports_app.queries import stored_table
from reports_app.services.generation import generate_report
from reports_app.services.requests import create_report, request_report
from tasks_app.ingest.fix import Fix
from tasks_app.services.positions.store import store_fixes

# The fleet is in São Paulo: its midnight is 03:00 UTC, its eleven o'clock 14:00 UTC.
DAY, NEXT_DAY, LATER = (datetime(2026, 3, day, 3, tzinfo=UTC) for day in (2, 3, 4))
ELEVEN = datetime(2026, 3, 2, 14, tzinfo=UTC)
# On the equator, 0.01 degrees of longitude are 1.113195 km: 66.792 km/h when it takes a minute.
STEP_DEGREES, STEP_KM, STEP_KPH = 0.01, 1.113195, 66.792


def ask(api, device, **more):
    """Ask for the summary of one day over the API."""
    body = {"device_id": device.pk, "start": "2026-03-02", "end": "2026-03-03", **more}
    return api.post("/api/tasks/report/device", body, format="json")


def requested_report(device, user=None, **more) -> Report:
    """The same by the service."""
    return request_report(kind="summary", device=device, range_start=DAY, range_end=NEXT_DAY, requested_by=user, **more)


def fixes(device, start=ELEVEN, *, minutes=10, degrees=STEP_DEGREES, longitude=-46.0, ignition=True) -> list[Fix]:
    """A fix a minute, driving east along the equator (or standing, with no degrees)."""
    speed = STEP_KPH if degrees else 0.0
    return [
        Fix(
            device.unique_id,
            start + timedelta(minutes=minute),
            0.0,
            longitude + minute * degrees,
            speed_kph=speed,
            attributes={"ignition": ignition},
        )
        for minute in range(minutes + 1)
    ]


def drive(device, start=ELEVEN, west=-46.0) -> None:
    """20 minutes standing with the engine off, 10 minutes of driving, 20 minutes standing with the engine on."""
    east = west + 10 * STEP_DEGREES
    track = fixes(device, start - timedelta(minutes=21), minutes=20, degrees=0.0, longitude=west, ignition=False)
    track += fixes(device, start, longitude=west)
    track += fixes(device, start + timedelta(minutes=11), minutes=20, degrees=0.0, longitude=east)
    assert store_fixes(track, received_at=start + timedelta(hours=1)).stored == len(track)


def build(kind, **fields):
    fields = {"range_start": DAY, "range_end": LATER, **fields}
    report, _is_due = create_report(kind=kind, **fields)
    generate_report(report.pk)
    report.refresh_from_db()
    assert report.state == ReportState.READY
    return report


def rows_of(report, key) -> list[dict]:
    section = next(section for section in stored_table(report.pk).sections if section.key == key)
    keys = [column.key for column in section.columns]
    return [dict(zip(keys, row, strict=True)) for row in section.row_lists()]


def totals_of(report, key) -> dict:
    section = next(section for section in stored_table(report.pk).sections if section.key == key)
    return dict(zip((column.key for column in section.columns), section.total_row(), strict=True))
