"""Everything the system stores about fleets and background work, one module per noun."""

from tasks_app.models.devices import Device, DeviceState, DeviceStatus
from tasks_app.models.events import Event, EventKind
from tasks_app.models.fleets import Fleet, FleetMembership, FleetRole
from tasks_app.models.geofences import Geofence
from tasks_app.models.jobs import Job, JobAction, QueueAction, ScheduleState
from tasks_app.models.maintenance import MaintenancePlan, MaintenanceStatus
from tasks_app.models.positions import Position

__all__ = [
    "Device",
    "DeviceState",
    "DeviceStatus",
    "Event",
    "EventKind",
    "Fleet",
    "FleetMembership",
    "FleetRole",
    "Geofence",
    "Job",
    "JobAction",
    "MaintenancePlan",
    "MaintenanceStatus",
    "Position",
    "QueueAction",
    "ScheduleState",
]
