"""The admin pages of reports, one module per noun. Importing this package registers them."""

from reports_app.admin import navigation, reports, schedules

__all__ = ["navigation", "reports", "schedules"]
