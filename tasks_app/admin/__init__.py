"""The admin pages, one module per noun. Importing this package registers them."""

from tasks_app.admin import devices, events, fleets, geofences, jobs, maintenance, quarantine, schedules, users

__all__ = ["devices", "events", "fleets", "geofences", "jobs", "maintenance", "quarantine", "schedules", "users"]
