"""Devices and their current states."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.models.fleets import (
    SECONDS_VALIDATORS,
    SPEED_LIMIT_VALIDATORS,
    SPEED_TOLERANCE_VALIDATORS,
    Fleet,
)
from tasks_app.models.lines import ONE_LINE
from tasks_app.models.retention import DAYS_VALIDATORS


class DeviceKind(models.TextChoices):
    CAR = "car", _("Car")
    VAN = "van", _("Van")
    TRUCK = "truck", _("Truck")
    MOTORCYCLE = "motorcycle", _("Motorcycle")
    PHONE = "phone", _("Phone")
    OTHER = "other", _("Other")


class DeviceStatus(models.TextChoices):
    UNKNOWN = "unknown", _("Unknown")
    ONLINE = "online", _("Online")
    OFFLINE = "offline", _("Offline")


class Device(models.Model):
    """A tracker or phone. `unique_id` is its identifier on the wire."""

    fleet = models.ForeignKey(Fleet, on_delete=models.PROTECT, related_name="devices", verbose_name=_("fleet"))
    unique_id = models.CharField(
        _("unique id"),
        max_length=128,
        unique=True,
        validators=[ONE_LINE],
    )
    name = models.CharField(_("name"), max_length=100, validators=[ONE_LINE])
    kind = models.CharField(_("kind"), max_length=12, choices=DeviceKind, default=DeviceKind.CAR)
    is_active = models.BooleanField(_("active"), default=True, help_text=_("Fixes of an inactive device are refused."))
    speed_limit_kph = models.FloatField(
        _("speed limit (km/h)"), null=True, blank=True, validators=SPEED_LIMIT_VALIDATORS
    )
    overspeed_tolerance_kph = models.FloatField(
        _("overspeed tolerance (km/h)"),
        null=True,
        blank=True,
        validators=SPEED_TOLERANCE_VALIDATORS,
        help_text=_("Empty uses the fleet's."),
    )
    overspeed_min_seconds = models.PositiveIntegerField(
        _("overspeed from (seconds)"),
        null=True,
        blank=True,
        validators=SECONDS_VALIDATORS,
        help_text=_("Empty uses the fleet's."),
    )
    tank_liters = models.FloatField(
        _("tank (liters)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(10_000)],
        help_text=_("Turns fuel levels sent as a percentage into liters."),
    )
    offline_after_minutes = models.PositiveIntegerField(
        _("offline after (minutes)"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    positions_days_to_keep = models.PositiveIntegerField(
        _("keep positions (days)"),
        null=True,
        blank=True,
        validators=DAYS_VALIDATORS,
        help_text=_("Empty uses the fleet's."),
    )
    keep_positions_forever = models.BooleanField(
        _("keep positions for ever"), default=False, help_text=_("Retention removes none of them.")
    )
    ingest_key_hash = models.CharField(max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                name="device_ingest_key", fields=["ingest_key_hash"], condition=~models.Q(ingest_key_hash="")
            ),
            models.CheckConstraint(
                name="device_speed_limit_sane",
                condition=models.Q(speed_limit_kph__isnull=True)
                | models.Q(speed_limit_kph__gt=0, speed_limit_kph__lte=500),
            ),
            models.CheckConstraint(
                name="device_keeps_positions_for_days_or_ever",
                condition=models.Q(keep_positions_forever=False) | models.Q(positions_days_to_keep__isnull=True),
                violation_error_message=_("Keep positions for a number of days or for ever, not both."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DeviceState(models.Model):
    """State of a device after its newest fix. Written by the pipeline, forward in time; its counters by roll-ups."""

    device = models.OneToOneField(
        Device, on_delete=models.CASCADE, primary_key=True, related_name="state", verbose_name=_("device")
    )
    status = models.CharField(_("status"), max_length=8, choices=DeviceStatus, default=DeviceStatus.UNKNOWN)
    last_seen_at = models.DateTimeField(_("last seen at"), null=True, blank=True, help_text=_("Server time."))
    offline_since = models.DateTimeField(_("offline since"), null=True, blank=True)
    fix_time = models.DateTimeField(_("fix time"), null=True, blank=True)
    latitude = models.FloatField(_("latitude"), null=True, blank=True)
    longitude = models.FloatField(_("longitude"), null=True, blank=True)
    altitude_meters = models.FloatField(_("altitude (m)"), null=True, blank=True)
    speed_kph = models.FloatField(_("speed (km/h)"), null=True, blank=True)
    is_speed_derived = models.BooleanField(
        _("speed derived"),
        default=False,
        db_default=False,
        help_text=_("The device sent no speed: it is that of the way from the position before."),
    )
    course_degrees = models.FloatField(_("course (degrees)"), null=True, blank=True)
    accuracy_meters = models.FloatField(_("accuracy (m)"), null=True, blank=True)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    is_moving = models.BooleanField(_("moving"), default=False)
    ignition = models.BooleanField(_("ignition"), null=True, blank=True)
    odometer_meters = models.FloatField(_("odometer (m)"), default=0)
    engine_seconds = models.FloatField(_("engine time (s)"), default=0)
    sent_odometer_meters = models.FloatField(_("odometer the device sent (m)"), null=True, blank=True)
    sent_engine_seconds = models.FloatField(_("engine time the device sent (s)"), null=True, blank=True)
    alarms = ArrayField(
        models.CharField(max_length=50), default=list, blank=True, verbose_name=_("alarms of the newest message")
    )
    is_battery_low = models.BooleanField(_("battery low"), default=False)
    geofence_ids = ArrayField(models.BigIntegerField(), default=list, blank=True, verbose_name=_("inside geofences"))
    pending_geofences = models.JSONField(default=dict, blank=True, editable=False)
    overspeed_event_id = models.BigIntegerField(null=True, blank=True, editable=False)
    overspeed_since = models.DateTimeField(_("overspeed since"), null=True, blank=True)
    overspeed_limit_kph = models.FloatField(_("overspeed limit (km/h)"), null=True, blank=True)
    overspeed_peak_kph = models.FloatField(_("overspeed peak (km/h)"), null=True, blank=True)
    overspeed_began = models.JSONField(null=True, blank=True, editable=False)
    # The jumps in a row that the filter has not believed yet.
    filter_memory = models.JSONField(null=True, blank=True, editable=False)
    # Grows by one with each write under the row's lock: of two versions of a cache entry, the higher one is newer.
    version = models.BigIntegerField(default=0, db_default=0, editable=False)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        # No index on what every batch changes: each update would write it, and could not stay on its page (HOT).
        verbose_name = _("device state")
        verbose_name_plural = _("device states")
        constraints = [
            models.CheckConstraint(
                name="state_coordinates_in_range",
                condition=models.Q(fix_time__isnull=True)
                | models.Q(latitude__gte=-90, latitude__lte=90, longitude__gte=-180, longitude__lte=180),
            ),
            models.CheckConstraint(name="state_odometer_not_negative", condition=models.Q(odometer_meters__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.device} · {self.get_status_display()}"


class DirtyDay(models.Model):
    """A day, in the time of the device's fleet, that got fixes its roll-up does not contain yet.

    The computation of a roll-up sets `claimed_at`, commits, computes, and deletes the row if that is still its own: a
    fix stored meanwhile takes the claim away again.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="dirty_days", verbose_name=_("device"))
    day = models.DateField(_("day"))
    marked_at = models.DateTimeField(_("marked at"), auto_now_add=True)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("day to compute again")
        verbose_name_plural = _("days to compute again")
        ordering = ["marked_at", "id"]
        constraints = [models.UniqueConstraint(fields=["device", "day"], name="dirty_day_once_per_device")]
        indexes = [models.Index(fields=["marked_at"], name="dirty_day_by_age")]

    def __str__(self) -> str:
        return f"{self.device} · {self.day}"
