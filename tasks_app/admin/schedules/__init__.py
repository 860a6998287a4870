"""Pages of schedules: django-q2's rows, whose own pages are replaced."""

from tasks_app.admin.schedules import pages

__all__ = ["pages"]
