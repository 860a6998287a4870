"""The admin pages, in rooms by noun. Importing this package registers them."""

import tablib  # noqa: F401 - finds the formats there are, and loads none

from tasks_app.library_options import absent

with absent("openpyxl"):  # which is loaded with the first workbook (table_formats.py)
    import import_export.formats.base_formats  # noqa: F401

from tasks_app.admin import (
    accounts,
    audit,
    autocomplete,
    cleanup,
    commands,
    devices,
    fleets,
    intake,
    jobs,
    queues,
    schedules,
)

__all__ = [
    "accounts",
    "audit",
    "autocomplete",
    "cleanup",
    "commands",
    "devices",
    "fleets",
    "intake",
    "jobs",
    "queues",
    "schedules",
]
