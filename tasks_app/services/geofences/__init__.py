"""Writes about geofences. Each leaves a record in the admin's log, whichever way it came."""

from tasks_app.services.geofences.changes import (
    ChangedMeanwhile,
    change_message,
    delete_geofence,
    field_label,
    record_change,
    save_geofence,
    snapshot,
)

__all__ = [
    "ChangedMeanwhile",
    "change_message",
    "delete_geofence",
    "field_label",
    "record_change",
    "save_geofence",
    "snapshot",
]
