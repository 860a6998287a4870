"""The admin pages of reports, one module per noun. Importing this package registers them."""

from reports_app.admin import device_links, navigation, reports, schedules

__all__ = ["device_links", "navigation", "reports", "schedules"]
