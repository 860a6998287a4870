"""Notifications: writing them with their deliveries, the jobs that send these, retention."""

from notifications_app.services.notifications.delivery_jobs import LEASE, enqueue_deliveries, sweep_stuck_deliveries
from notifications_app.services.notifications.notifying import (
    ALL_CHANNELS,
    MessageRenderer,
    job_dedupe_key,
    notify,
    notify_with_message,
    send_on_behalf,
)
from notifications_app.services.notifications.retention import remove_old_notifications
from notifications_app.services.notifications.store import Attachment, Draft, write_notifications

__all__ = [
    "ALL_CHANNELS",
    "LEASE",
    "Attachment",
    "Draft",
    "MessageRenderer",
    "enqueue_deliveries",
    "job_dedupe_key",
    "notify",
    "notify_with_message",
    "remove_old_notifications",
    "send_on_behalf",
    "sweep_stuck_deliveries",
    "write_notifications",
]
