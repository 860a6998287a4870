"""Alerts of events: the event outbox, alerts at once and later, escalation, alerts requested by name."""

from notifications_app.services.events.escalation import escalate_due
from notifications_app.services.events.event_outbox import dispatch, note_events, sweep_dispatches
from notifications_app.services.events.pending_alerts import tell_what_lasted
from notifications_app.services.events.requested_alerts import (
    alert_geofence,
    alert_offline,
    alert_speed,
    remind_of_maintenance,
)

__all__ = [
    "alert_geofence",
    "alert_offline",
    "alert_speed",
    "dispatch",
    "escalate_due",
    "note_events",
    "remind_of_maintenance",
    "sweep_dispatches",
    "tell_what_lasted",
]
