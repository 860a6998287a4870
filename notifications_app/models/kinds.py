"""The kinds of channels and of news."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.models import EventKind


class ChannelKind(models.TextChoices):
    IN_APP = "in_app", _("In the application")
    EMAIL = "email", _("E-mail")
    WEBHOOK = "webhook", _("Webhook")
    APPRISE = "apprise", _("Chat, SMS, push")
    WEBSOCKET = "websocket", _("Open pages")


# Of these a person may have several, each with an address of its own; the others reach everybody by themselves.
KINDS_WITH_DESTINATIONS = [ChannelKind.WEBHOOK.value, ChannelKind.APPRISE.value]


class NotificationKind(models.TextChoices):
    GEOFENCE = "geofence", _("Geofence")
    OFFLINE = "offline", _("Offline")
    SPEED = "speed", _("Speed")
    SPEED_END = "speed_end", _("End of overspeed")
    TRIP = "trip", _("Trip")
    IGNITION = "ignition", _("Ignition")
    ALARM = "alarm", _("Alarm")
    BATTERY = "battery", _("Battery")
    COMMAND = "command", _("Command")
    MAINTENANCE = "maintenance", _("Maintenance")
    DAILY_SUMMARY = "daily_summary", _("Daily summary")
    SYSTEM = "system", _("System")
    EVENT = "event", _("Event")
    DIGEST = "digest", _("Digest")
    REPORT_READY = "report_ready", _("Report ready")
    REPORT_FAILED = "report_failed", _("Report failed")
    CHANNEL_OFF = "channel_off", _("Channel switched off")
    TEST = "test", _("Test")


class RuleSubject(models.TextChoices):
    """What rules may ask for beside the events of devices; each is the NotificationKind of the same name."""

    REPORT_READY = NotificationKind.REPORT_READY.value, _("Report ready")
    REPORT_FAILED = NotificationKind.REPORT_FAILED.value, _("Report failed")
    SYSTEM = NotificationKind.SYSTEM.value, _("System alert")


# Everything a rule may be about.
RULE_KINDS = [*EventKind.choices, *RuleSubject.choices]
