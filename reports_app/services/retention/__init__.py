"""Retention of reports: content expires first, rows go later."""

from reports_app.services.retention.expiry import expire_reports
from reports_app.services.retention.old_reports import remove_old_reports

__all__ = [
    "expire_reports",
    "remove_old_reports",
]
