"""The admin pages, in rooms by noun. Importing this package registers them."""

from tasks_app.admin import accounts, cleanup, devices, fleets, intake, jobs, queues, schedules

__all__ = ["accounts", "cleanup", "devices", "fleets", "intake", "jobs", "queues", "schedules"]
