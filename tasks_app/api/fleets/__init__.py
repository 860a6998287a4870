"""Endpoints of fleets, their members and geofences."""

from tasks_app.api.fleets.geofences import GeofenceDevicesView, GeofenceListView, GeofenceView
from tasks_app.api.fleets.members import MemberListView, MemberView
from tasks_app.api.fleets.views import FleetListView, FleetView

__all__ = [
    "FleetListView",
    "FleetView",
    "GeofenceDevicesView",
    "GeofenceListView",
    "GeofenceView",
    "MemberListView",
    "MemberView",
]
