"""Pages of devices, their keys, events and maintenance plans."""

from tasks_app.admin.devices import events, pages, servicing

__all__ = ["events", "pages", "servicing"]
