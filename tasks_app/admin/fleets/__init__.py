"""Pages of fleets, their geofences and track filters."""

from tasks_app.admin.fleets import filters, geofences, pages
from tasks_app.admin.fleets.filters import DeviceFiltersInline

__all__ = ["DeviceFiltersInline", "filters", "geofences", "pages"]
