"""Enqueueing of due schedules, and actions of users on schedules."""

from tasks_app.services.schedules.actions import (
    delete_schedule,
    disable,
    duplicate,
    enable,
    lock_schedule,
    permitted_call,
    run_now,
    save_schedule,
    store_schedule,
    upcoming_runs,
    validate_schedule,
)
from tasks_app.services.schedules.arguments import InvalidSchedule, format_args, format_kwargs, parse_args, parse_kwargs
from tasks_app.services.schedules.calls import planned_runs, schedule_zone

__all__ = [
    "InvalidSchedule",
    "delete_schedule",
    "disable",
    "duplicate",
    "enable",
    "format_args",
    "format_kwargs",
    "lock_schedule",
    "parse_args",
    "parse_kwargs",
    "permitted_call",
    "planned_runs",
    "run_now",
    "save_schedule",
    "schedule_zone",
    "store_schedule",
    "upcoming_runs",
    "validate_schedule",
]
