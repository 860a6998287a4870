"""The admin pages of reports, one module per noun. Importing this package registers them."""

from reports_app.admin import reports, schedules

__all__ = ["reports", "schedules"]
