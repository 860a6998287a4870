"""Rules, notifications, deliveries with their attempts, destinations, preferences, custom templates."""

from notifications_app.models.deferred import (
    Escalation,
    EventDispatch,
    HeldAlert,
    HoldReason,
    RuleCooldown,
    SystemTrouble,
    WaitingAlert,
)
from notifications_app.models.deliveries import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryState
from notifications_app.models.destinations import Destination
from notifications_app.models.kinds import ChannelKind, NotificationKind
from notifications_app.models.notifications import Notification, NotificationAttachment
from notifications_app.models.opt_outs import EmailOptOut
from notifications_app.models.preferences import NotificationPreference, Theme
from notifications_app.models.rules import EscalationStep, Rule
from notifications_app.models.templates import MessageTemplate

__all__ = [
    "AttemptOutcome",
    "ChannelKind",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryState",
    "Destination",
    "EmailOptOut",
    "Escalation",
    "EscalationStep",
    "EventDispatch",
    "HeldAlert",
    "HoldReason",
    "MessageTemplate",
    "Notification",
    "NotificationAttachment",
    "NotificationKind",
    "NotificationPreference",
    "Rule",
    "RuleCooldown",
    "SystemTrouble",
    "Theme",
    "WaitingAlert",
]
