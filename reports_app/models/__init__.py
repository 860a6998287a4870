"""Reports people asked for, and the files written from them."""

from reports_app.models.reports import (
    UNFINISHED,
    Report,
    ReportChunk,
    ReportFile,
    ReportFollower,
    ReportFormat,
    ReportKind,
    ReportState,
)

__all__ = [
    "UNFINISHED",
    "Report",
    "ReportChunk",
    "ReportFile",
    "ReportFollower",
    "ReportFormat",
    "ReportKind",
    "ReportState",
]
