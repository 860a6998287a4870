"""Report schedules: edited, run when due, delivered to their recipients."""

from reports_app.services.schedules.delivery import deliver_run
from reports_app.services.schedules.description import describe_schedule
from reports_app.services.schedules.editing import (
    MAX_RECIPIENTS,
    SCHEDULED_KINDS,
    Chosen,
    find_problems,
    plan_next_run,
    save_report_schedule,
    switch,
)
from reports_app.services.schedules.failures import (
    follow_deliveries,
    note_delivered,
    note_undelivered,
    switch_off_without_devices,
)
from reports_app.services.schedules.runs import advance_runs, run_due_report_schedules, run_now

__all__ = [
    "MAX_RECIPIENTS",
    "SCHEDULED_KINDS",
    "Chosen",
    "advance_runs",
    "deliver_run",
    "describe_schedule",
    "find_problems",
    "follow_deliveries",
    "note_delivered",
    "note_undelivered",
    "plan_next_run",
    "run_due_report_schedules",
    "run_now",
    "save_report_schedule",
    "switch",
    "switch_off_without_devices",
]
