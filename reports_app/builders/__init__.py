"""Builders: one module for each kind of report, which chooses its rows."""

from reports_app.builders.fleet import report_devices
from reports_app.builders.registry import KINDS_WITHOUT_PLACES, build_table

__all__ = [
    "KINDS_WITHOUT_PLACES",
    "build_table",
    "report_devices",
]
