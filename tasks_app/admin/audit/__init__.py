"""The audit's list."""

from tasks_app.admin.audit import entries

__all__ = ["entries"]
