"""Generation of requested reports, and how it ends: ready, failed, cancelled or swept."""

from reports_app.services.generation.generating import generate_report, run_device_report, run_fleet_report
from reports_app.services.generation.lifecycle import cancel_report, delete_report, retry_report
from reports_app.services.generation.sweep import follow_jobs, sweep_stuck_reports

__all__ = [
    "cancel_report",
    "delete_report",
    "follow_jobs",
    "generate_report",
    "retry_report",
    "run_device_report",
    "run_fleet_report",
    "sweep_stuck_reports",
]
