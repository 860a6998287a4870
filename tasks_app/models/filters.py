"""Filters of a fleet's or a device's track, and the filtered fixes."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.models.devices import Device
from tasks_app.models.fleets import Fleet
from tasks_app.utils.clock import exact_time

MAX_SECONDS = 10 * 365 * 86_400


class FilterReason(models.TextChoices):
    ZERO = "zero", _("Latitude and longitude are 0")
    INVALID = "invalid", _("The receiver calls it invalid")
    FUTURE = "future", _("In the future")
    PAST = "past", _("Too old")
    ACCURACY = "accuracy", _("Too inaccurate")
    PERIOD = "period", _("Too soon after the fix before")
    JUMP = "jump", _("Too far from the fix before")
    STATIC = "static", _("Not moved")


def _seconds(label: Any, help_text: Any) -> models.PositiveIntegerField[Any, Any]:
    validators = [MinValueValidator(1), MaxValueValidator(MAX_SECONDS)]
    return models.PositiveIntegerField(label, null=True, blank=True, validators=validators, help_text=help_text)


def _quantity(label: Any, most: float, help_text: Any) -> models.FloatField[Any, Any]:
    validators = [MinValueValidator(1), MaxValueValidator(most)]
    return models.FloatField(label, null=True, blank=True, validators=validators, help_text=help_text)


class FilterSettings(models.Model):
    """Filters of one fleet or of one device. An empty field leaves the matter to the fleet, then to the default."""

    fleet = models.OneToOneField(
        Fleet, on_delete=models.CASCADE, null=True, blank=True, related_name="filters", verbose_name=_("fleet")
    )
    device = models.OneToOneField(
        Device, on_delete=models.CASCADE, null=True, blank=True, related_name="filters", verbose_name=_("device")
    )
    drop_invalid = models.BooleanField(
        _("drop invalid"), null=True, blank=True, help_text=_("Fixes that the receiver itself calls invalid.")
    )
    max_future_seconds = _seconds(_("at most ahead (s)"), _("Default 86400, a day."))
    max_past_seconds = _seconds(_("at most old (s)"), _("Imported files may be older."))
    max_accuracy_meters = _quantity(_("at most inaccurate (m)"), 1e7, _("Fixes without accuracy pass."))
    max_jump_kph = _quantity(
        _("jump above (km/h)"), 100_000, _("Drops a fix that needs a higher speed than this since the fix before.")
    )
    jump_confirmations = models.PositiveSmallIntegerField(
        _("jump confirmed by"),
        null=True,
        blank=True,
        validators=[MinValueValidator(2), MaxValueValidator(100)],
        help_text=_("So many jumps in a row to the same place are believed. Default 3."),
    )
    jump_timeout_seconds = _seconds(_("jump believed after (s)"), _("So long after the fix before. Default 600."))
    min_period_seconds = _seconds(_("at least apart (s)"), _("Changes of ignition and alarms always pass."))
    static_meters = _quantity(_("not moved by (m)"), 10_000, _("Drops fixes so near the one before without a change."))
    static_silence_seconds = _seconds(_("not moved, but keep every (s)"), _("Default 600."))

    class Meta:
        verbose_name = _("filters")
        verbose_name_plural = _("filters")
        constraints = [
            models.CheckConstraint(
                name="filters_of_a_fleet_or_a_device",
                condition=models.Q(fleet__isnull=False, device__isnull=True)
                | models.Q(fleet__isnull=True, device__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return str(self.fleet or self.device)


class FilterCount(models.Model):
    """How many fixes of a device a filter kept out on one day of arrival (UTC)."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="filter_counts", verbose_name=_("device"))
    day = models.DateField(_("day"), help_text=_("Of arrival, in UTC."))
    reason = models.CharField(_("reason"), max_length=8, choices=FilterReason)
    count = models.PositiveIntegerField(_("count"))

    class Meta:
        verbose_name = _("filtered per day")
        verbose_name_plural = _("filtered per day")
        ordering = ["-day", "device", "reason"]
        constraints = [
            models.UniqueConstraint(fields=["device", "day", "reason"], name="one_filter_count_per_day_and_reason")
        ]

    def __str__(self) -> str:
        return f"{self.device} · {self.day} · {self.get_reason_display()}: {self.count}"


class FilteredFix(models.Model):
    """A fix that a filter kept out, with its reason; the newest settings.FILTERED_FIXES_KEPT of each device stay."""

    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, related_name="filtered_fixes", verbose_name=_("device")
    )
    fix_time = models.DateTimeField(_("fix time"))
    reason = models.CharField(_("reason"), max_length=8, choices=FilterReason)
    received_at = models.DateTimeField(_("received at"))
    latitude = models.FloatField(_("latitude"))
    longitude = models.FloatField(_("longitude"))
    data = models.JSONField(_("data"), default=dict, help_text=_("What else the device sent."))

    class Meta:
        verbose_name = _("filtered fix")
        verbose_name_plural = _("filtered fixes")
        ordering = ["-id"]
        indexes = [models.Index(fields=["device", "-id"], name="filtered_fix_newest")]
        constraints = [models.UniqueConstraint(fields=["device", "fix_time"], name="filtered_fix_once")]

    def __str__(self) -> str:
        return f"{self.device} {exact_time(self.fix_time)} · {self.get_reason_display()}"
