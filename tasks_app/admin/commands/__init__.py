"""Pages of commands: their list and attempts, sending, confirming and cancelling them, and saved commands."""

from tasks_app.admin.commands import pages, saved

__all__ = ["pages", "saved"]
