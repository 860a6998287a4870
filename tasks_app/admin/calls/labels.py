"""Names of arguments and their values for people. An argument without one is called as in the code."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

ARGUMENTS = {
    "device_id": _("Device"),
    "device_ids": _("Devices"),
    "fleet_id": _("Fleet"),
    "geofence_id": _("Geofence"),
    "user_id": _("User"),
    "plan_id": _("Maintenance plan"),
    "report_id": _("Report"),
    "upload_id": _("Number of the upload"),
    "run_id": _("Number of the run"),
    "delivery_id": _("Number of the delivery"),
    "outbox_id": _("Number of the outbox row"),
    "start": _("From"),
    "end": _("Until"),
    "day": _("Day"),
    "kind": _("Kind"),
    "format": _("Format"),
    "period": _("Period"),
    "status": _("Status"),
    "event_type": _("What happened"),
    "position_data": _("Position"),
    "position_data_list": _("Positions"),
    "offline_duration_minutes": _("Silent for (minutes)"),
    "speed": _("Speed (km/h)"),
    "speed_limit": _("Speed limit (km/h)"),
    "subject": _("Subject"),
    "message": _("Message"),
    "level": _("Level"),
    "days_to_keep": _("Days to keep"),
    "succeeded_days": _("Days to keep jobs that succeeded"),
    "failed_days": _("Days to keep jobs that failed or were cancelled"),
    "dry_run": _("Dry run"),
    "force": _("Also in business hours"),
    "max_seconds": _("At most (seconds)"),
    "max_age_hours": _("Unused for (hours)"),
    "pattern": _("Pattern"),
}
HELP = {
    "dry_run": _("Counts what it would remove, and removes nothing."),
    "days_to_keep": _("Empty: as the retention settings say."),
    "succeeded_days": _("Empty: as the retention settings say."),
    "failed_days": _("Empty: as the retention settings say."),
    "device_ids": _("Empty: all."),
    "max_seconds": _("It stops after this time, and the next run goes on."),
    "pattern": _("* stands for any characters."),
}
VALUES = {
    "24h": _("Last 24 hours"),
    "7d": _("Last 7 days"),
    "30d": _("Last 30 days"),
    "online": _("Online"),
    "offline": _("Offline"),
    "unknown": _("Unknown"),
    "enter": _("Entered"),
    "exit": _("Left"),
    "info": _("Information"),
    "warning": _("Warning"),
    "error": _("Error"),
    "critical": _("Critical"),
}
RANGES = {
    "today": _("Today, the whole day"),
    "today so far": _("Today so far"),
    "yesterday": _("Yesterday"),
    "last 24 hours": _("Last 24 hours"),
    "last 7 days": _("Last 7 days"),
    "last 30 days": _("Last 30 days"),
    "this week so far": _("This week so far"),
    "last week": _("Last week"),
    "this month so far": _("This month so far"),
    "last month": _("Last month"),
}
QUEUES = {
    "reports": _("Reports"),
    "positions": _("Positions"),
    "notifications": _("Notifications"),
    "cleanup": _("Clean-ups"),
}
