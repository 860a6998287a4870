"""Models of reports, their files and report schedules."""

from reports_app.models.reports import (
    UNFINISHED,
    DeletedDevice,
    Report,
    ReportChunk,
    ReportFile,
    ReportFollower,
    ReportKind,
    ReportState,
)
from reports_app.models.schedules import (
    ReportSchedule,
    ReportScheduleRun,
    RunState,
    ScheduleDelivery,
    SchedulePeriod,
    Weekday,
)

__all__ = [
    "UNFINISHED",
    "DeletedDevice",
    "Report",
    "ReportChunk",
    "ReportFile",
    "ReportFollower",
    "ReportKind",
    "ReportSchedule",
    "ReportScheduleRun",
    "ReportState",
    "RunState",
    "ScheduleDelivery",
    "SchedulePeriod",
    "Weekday",
]
