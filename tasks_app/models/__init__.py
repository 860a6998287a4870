"""Models of fleets and background work, one module per noun."""

from tasks_app.models.accounts import DEFAULT_SCOPES, LoginSession, Scope, TokenDetails
from tasks_app.models.audit import AuditEntry
from tasks_app.models.commands import (
    WAKE_UP,
    Command,
    CommandAttempt,
    CommandState,
    CommandWay,
    SavedCommand,
    chain_choices,
    command_type_choices,
    protocol_choices,
)
from tasks_app.models.device_access import DeviceAccess, relay_variant_choices
from tasks_app.models.device_days import DeviceDay
from tasks_app.models.devices import Device, DeviceState, DeviceStatus, DirtyDay
from tasks_app.models.events import Event, EventKind
from tasks_app.models.filters import FilterCount, FilteredFix, FilterReason, FilterSettings
from tasks_app.models.fleets import Fleet, FleetMembership, FleetRole, RuleCommands
from tasks_app.models.geofences import Geofence
from tasks_app.models.idempotency import IdempotentRequest
from tasks_app.models.jobs import BulkAction, Job, JobAction, QueueAction, SavedJobView, ScheduleState
from tasks_app.models.lanes import LaneLease
from tasks_app.models.maintenance import MaintenancePlan, MaintenanceRecord, MaintenanceStatus
from tasks_app.models.positions import Position
from tasks_app.models.quarantine import FixSource, QuarantinedFix
from tasks_app.models.retention import PositionArchive, RetentionSettings, StorageSample
from tasks_app.models.trips import TripState
from tasks_app.models.uploads import PositionUpload

__all__ = [
    "DEFAULT_SCOPES",
    "WAKE_UP",
    "AuditEntry",
    "BulkAction",
    "Command",
    "CommandAttempt",
    "CommandState",
    "CommandWay",
    "Device",
    "DeviceAccess",
    "DeviceDay",
    "DeviceState",
    "DeviceStatus",
    "DirtyDay",
    "Event",
    "EventKind",
    "FilterCount",
    "FilterReason",
    "FilterSettings",
    "FilteredFix",
    "FixSource",
    "Fleet",
    "FleetMembership",
    "FleetRole",
    "Geofence",
    "IdempotentRequest",
    "Job",
    "JobAction",
    "LaneLease",
    "LoginSession",
    "MaintenancePlan",
    "MaintenanceRecord",
    "MaintenanceStatus",
    "Position",
    "PositionArchive",
    "PositionUpload",
    "QuarantinedFix",
    "QueueAction",
    "RetentionSettings",
    "RuleCommands",
    "SavedCommand",
    "SavedJobView",
    "ScheduleState",
    "Scope",
    "StorageSample",
    "TokenDetails",
    "TripState",
    "chain_choices",
    "command_type_choices",
    "protocol_choices",
    "relay_variant_choices",
]
