"""How one person wants to be notified."""

from __future__ import annotations

import datetime

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications_app.models.unit_choices import ALTITUDE_UNITS, DISTANCE_UNITS, SPEED_UNITS, VOLUME_UNITS
from tasks_app.geo.units import AltitudeUnit, DistanceUnit, SpeedUnit, Units, VolumeUnit
from tasks_app.models.fleets import validate_time_zone


def default_language() -> str:
    """That of the server: whoever chose only units goes on reading as before."""
    return settings.LANGUAGE_CODE


def default_time_zone() -> str:
    """That of the server."""
    return settings.TIME_ZONE


class NotificationPreference(models.Model):
    """How one person reads (language, zone, units), when they want quiet, and whether the daily summary comes.

    Times are on their own clock. Quiet hours hold back what rules tell, except urgent kinds, until they end, and
    what else may wait (services.notifications). A digest gathers it; a rule's own digest comes first.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="notification_preference",
        verbose_name=_("user"),
    )
    language = models.CharField(
        _("language"),
        max_length=10,
        choices=settings.LANGUAGES,
        default=default_language,
        help_text=_("Of messages, reports and these pages."),
    )
    time_zone = models.CharField(
        _("time zone"), max_length=64, default=default_time_zone, validators=[validate_time_zone]
    )
    distance_unit = models.CharField(
        _("distances in"), max_length=3, choices=DISTANCE_UNITS, default=DistanceUnit.KM.value
    )
    speed_unit = models.CharField(_("speeds in"), max_length=3, choices=SPEED_UNITS, default=SpeedUnit.KPH.value)
    altitude_unit = models.CharField(
        _("altitudes in"), max_length=2, choices=ALTITUDE_UNITS, default=AltitudeUnit.METERS.value
    )
    volume_unit = models.CharField(_("volumes in"), max_length=3, choices=VOLUME_UNITS, default=VolumeUnit.LITERS.value)
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_to = models.TimeField(_("quiet to"), null=True, blank=True)
    digest_every_minutes = models.PositiveIntegerField(
        _("digest every (minutes)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 60)],
    )
    digest_daily_at = models.TimeField(_("digest daily at"), null=True, blank=True)
    daily_summary = models.BooleanField(_("daily summary"), default=False)
    daily_summary_at = models.TimeField(_("daily summary at"), default=datetime.time(7))

    class Meta:
        verbose_name = _("notification preference")
        verbose_name_plural = _("notification preferences")
        constraints = [
            models.CheckConstraint(
                name="quiet_hours_begin_and_end",
                condition=models.Q(quiet_from__isnull=True, quiet_to__isnull=True)
                | models.Q(quiet_from__isnull=False, quiet_to__isnull=False),
                violation_error_message=_("Quiet hours need both a beginning and an end."),
            ),
            models.CheckConstraint(
                name="preference_has_one_kind_of_digest",
                condition=models.Q(digest_every_minutes__isnull=True) | models.Q(digest_daily_at__isnull=True),
                violation_error_message=_("Choose one digest: every so many minutes, or daily."),
            ),
        ]

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
