"""Builders: one module for each kind of report, which chooses its rows."""

from reports_app.builders.fleet import report_devices
from reports_app.builders.registry import build_table

__all__ = [
    "build_table",
    "report_devices",
]
