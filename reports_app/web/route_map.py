"""The way of a route report, for a map."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from reports_app.models import Report, ReportKind
from reports_app.queries import stored_table
from tasks_app.geo.motion_rules import MotionRules

ROUTE_SECTION = "route"


def route_points(report: Report) -> list[list[float] | None]:
    """Return [latitude, longitude] of each point of a ready route report, None where nothing was heard for long; nothing
    for other kinds."""
    if report.kind != ReportKind.ROUTE or not report.content:
        return []
    points: list[list[float] | None] = []
    previous: datetime | None = None
    for section in stored_table(report.pk).sections:
        if section.key != ROUTE_SECTION:
            continue
        for row in section.row_lists():
            at, latitude, longitude = cast("tuple[datetime, float, float]", row[:3])
            if previous is not None and (at - previous).total_seconds() > MotionRules.max_gap_seconds:
                points.append(None)
            points.append([latitude, longitude])
            previous = at
    return points
