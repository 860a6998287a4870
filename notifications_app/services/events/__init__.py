"""Alerts of events: the event outbox, alerts at once and later, escalation, alerts requested by name."""

from notifications_app.services.events.escalation import escalate_due, look_at_escalations
from notifications_app.services.events.event_outbox import process_outbox_row, sweep_event_outbox, write_outbox
from notifications_app.services.events.pending_alerts import look_at_pending, send_pending_alerts
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
    "escalate_due",
    "look_at_escalations",
    "look_at_pending",
    "process_outbox_row",
    "remind_of_maintenance",
    "send_pending_alerts",
    "sweep_event_outbox",
    "write_outbox",
]
