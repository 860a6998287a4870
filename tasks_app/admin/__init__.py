"""The admin pages, one module per noun. Importing this package registers them."""

from tasks_app.admin import (
    devices,
    events,
    filters,
    fleets,
    geofences,
    jobs,
    maintenance,
    position_uploads,
    quarantine,
    retention,
    schedules,
    storage,
    users,
)

__all__ = [
    "devices",
    "events",
    "filters",
    "fleets",
    "geofences",
    "jobs",
    "maintenance",
    "position_uploads",
    "quarantine",
    "retention",
    "schedules",
    "storage",
    "users",
]
