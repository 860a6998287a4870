"""The admin pages of rules: the form with its sentence and map, and dry runs."""

from notifications_app.admin.rules import pages

__all__ = ["pages"]
