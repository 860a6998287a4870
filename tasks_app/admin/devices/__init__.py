"""Pages of devices, their keys, events and maintenance plans."""

from tasks_app.admin.devices import events, pages, servicing
from tasks_app.admin.devices.links import Link, register_positions_link

__all__ = ["Link", "events", "pages", "register_positions_link", "servicing"]
