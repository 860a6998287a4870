"""Writes about devices: status, keys, roll-ups, trips, statistics, servicing, odometer."""

from tasks_app.services.devices.credentials import KeyExists, issue_key, revoke_key
from tasks_app.services.devices.days import mark_all_days, refresh_days, refresh_due_days
from tasks_app.services.devices.live_trips import record_trips
from tasks_app.services.devices.odometer import set_odometer
from tasks_app.services.devices.servicing import check_plans, mark_done, new_plan
from tasks_app.services.devices.servicing_due import MaintenanceDue, maintenance_due
from tasks_app.services.devices.statistics import PERIODS, calculate_statistics
from tasks_app.services.devices.status import check_offline, hear_from, hear_from_all, update_status

__all__ = [
    "PERIODS",
    "KeyExists",
    "MaintenanceDue",
    "calculate_statistics",
    "check_offline",
    "check_plans",
    "hear_from",
    "hear_from_all",
    "issue_key",
    "maintenance_due",
    "mark_all_days",
    "mark_done",
    "new_plan",
    "record_trips",
    "refresh_days",
    "refresh_due_days",
    "revoke_key",
    "set_odometer",
    "update_status",
]
