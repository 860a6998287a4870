"""Rules, notifications, deliveries with their attempts, people's destinations and preferences, staff's own texts."""

from notifications_app.models.deliveries import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryState
from notifications_app.models.destinations import Destination, EmailOptOut
from notifications_app.models.kinds import ChannelKind, NotificationKind
from notifications_app.models.notifications import (
    Notification,
    NotificationAttachment,
    NotificationPreference,
    Rule,
)
from notifications_app.models.templates import MessageTemplate

__all__ = [
    "AttemptOutcome",
    "ChannelKind",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryState",
    "Destination",
    "EmailOptOut",
    "MessageTemplate",
    "Notification",
    "NotificationAttachment",
    "NotificationKind",
    "NotificationPreference",
    "Rule",
]
