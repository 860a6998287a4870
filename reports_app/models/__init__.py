"""Reports people asked for, and the files written from them."""

from reports_app.models.reports import Report, ReportChunk, ReportFile, ReportFormat, ReportKind, ReportState

__all__ = ["Report", "ReportChunk", "ReportFile", "ReportFormat", "ReportKind", "ReportState"]
