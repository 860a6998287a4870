"""Rules (who wants to hear of what) and notifications (one message to one person)."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications_app.models.kinds import ChannelKind, NotificationKind
from notifications_app.models.unit_choices import ALTITUDE_UNITS, DISTANCE_UNITS, SPEED_UNITS, VOLUME_UNITS
from tasks_app.geo.units import AltitudeUnit, DistanceUnit, SpeedUnit, Units, VolumeUnit
from tasks_app.models import Device, Event, EventKind, Fleet, Geofence
from tasks_app.models.fleets import validate_time_zone


class Rule(models.Model):
    """Tell these users of these kinds of events, of these devices (none: all of the fleet), through these channels."""

    fleet = models.ForeignKey(Fleet, on_delete=models.CASCADE, related_name="rules", verbose_name=_("fleet"))
    name = models.CharField(_("name"), max_length=100)
    event_kinds = ArrayField(models.CharField(max_length=24, choices=EventKind), verbose_name=_("event kinds"))
    channels = ArrayField(models.CharField(max_length=16, choices=ChannelKind), verbose_name=_("channels"))
    users = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="rules", verbose_name=_("users"))
    devices = models.ManyToManyField(Device, related_name="rules", blank=True, verbose_name=_("devices"))
    geofences = models.ManyToManyField(Geofence, related_name="rules", blank=True, verbose_name=_("geofences"))
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Notification(models.Model):
    """One message to one person. `dedupe_key` makes writing it idempotent: the same news reaches a person once.

    `on_behalf_to` is set for a message that goes to somebody without an account: `user` is then who answers for it.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications", verbose_name=_("user")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=NotificationKind)
    event = models.ForeignKey(
        Event, on_delete=models.SET_NULL, null=True, blank=True, related_name="notifications", verbose_name=_("event")
    )
    device = models.ForeignKey(
        Device, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("device")
    )
    dedupe_key = models.CharField(max_length=200, editable=False)
    subject = models.CharField(_("subject"), max_length=200)
    body_text = models.TextField(_("text"))
    body_html = models.TextField(_("HTML"), blank=True)
    on_behalf_to = models.EmailField(_("sent on behalf to"), blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True)

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["user", "-created_at"], name="notification_by_user")]
        constraints = [
            models.UniqueConstraint(fields=["user", "dedupe_key"], name="one_notification_per_user_and_news")
        ]

    def __str__(self) -> str:
        return self.subject


class NotificationAttachment(models.Model):
    """A file that goes with a notification. It stays where it is stored, and belongs to whoever put it there."""

    notification = models.ForeignKey(
        Notification, on_delete=models.CASCADE, related_name="attachments", verbose_name=_("notification")
    )
    storage_name = models.CharField(_("name in the storage"), max_length=255)
    file_name = models.CharField(_("file name"), max_length=200)
    content_type = models.CharField(_("content type"), max_length=100)

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.file_name


class NotificationPreference(models.Model):
    """How one person reads: language, time zone and units; and whether the daily summary comes."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="notification_preference",
        verbose_name=_("user"),
    )
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, default="en")
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[validate_time_zone])
    distance_unit = models.CharField(
        _("distances in"), max_length=3, choices=DISTANCE_UNITS, default=DistanceUnit.KM.value
    )
    speed_unit = models.CharField(_("speeds in"), max_length=3, choices=SPEED_UNITS, default=SpeedUnit.KPH.value)
    altitude_unit = models.CharField(
        _("altitudes in"), max_length=2, choices=ALTITUDE_UNITS, default=AltitudeUnit.METERS.value
    )
    volume_unit = models.CharField(_("volumes in"), max_length=3, choices=VOLUME_UNITS, default=VolumeUnit.LITERS.value)
    daily_summary = models.BooleanField(_("daily summary"), default=False)

    class Meta:
        verbose_name = _("notification preference")
        verbose_name_plural = _("notification preferences")

    def __str__(self) -> str:
        return str(self.user)

    @property
    def units(self) -> Units:
        return Units(
            DistanceUnit(self.distance_unit),
            SpeedUnit(self.speed_unit),
            AltitudeUnit(self.altitude_unit),
            VolumeUnit(self.volume_unit),
        )
