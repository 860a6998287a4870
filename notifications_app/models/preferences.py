"""A person's notification preferences."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications_app.models.unit_choices import ALTITUDE_UNITS, DISTANCE_UNITS, SPEED_UNITS, VOLUME_UNITS
from tasks_app.geo.units import AltitudeUnit, DistanceUnit, SpeedUnit, Units, VolumeUnit
from tasks_app.models.fleets import validate_time_zone
from tasks_app.utils.clock import seven_o_clock


def default_language() -> str:
    """The server's language, so that a user who sets only units keeps it."""
    return settings.LANGUAGE_CODE


def default_time_zone() -> str:
    """The server's time zone. Only a former migration uses it."""
    return settings.TIME_ZONE


class Theme(models.TextChoices):
    """The colours of the pages at /."""

    SYSTEM = "system", _("As the device is set")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class NotificationPreference(models.Model):
    """A person's language, time zone, units and theme, quiet hours, digest and daily summary.

    Times are in the person's time zone. Quiet hours hold alerts of rules, except urgent kinds, until they end, and
    messages that may wait (MessageKind.waits_in_quiet_hours). A rule's own digest comes before the person's.
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
    # Empty: that of the fleet for messages and reports, else the server's.
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, default="", validators=[validate_time_zone])
    distance_unit = models.CharField(
        _("distances in"), max_length=3, choices=DISTANCE_UNITS, default=DistanceUnit.KM.value
    )
    speed_unit = models.CharField(_("speeds in"), max_length=3, choices=SPEED_UNITS, default=SpeedUnit.KPH.value)
    altitude_unit = models.CharField(
        _("altitudes in"), max_length=2, choices=ALTITUDE_UNITS, default=AltitudeUnit.METERS.value
    )
    volume_unit = models.CharField(_("volumes in"), max_length=3, choices=VOLUME_UNITS, default=VolumeUnit.LITERS.value)
    theme = models.CharField(
        _("colours"),
        max_length=6,
        choices=Theme,
        default=Theme.SYSTEM,
        db_default=Theme.SYSTEM,
        help_text=_("Of the fleet's own pages."),
    )
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
    daily_summary_at = models.TimeField(_("daily summary at"), default=seven_o_clock)

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
