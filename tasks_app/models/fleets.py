"""Fleets and their memberships."""

from __future__ import annotations

import zoneinfo

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.models.lines import ONE_LINE
from tasks_app.models.retention import DAYS_VALIDATORS
from tasks_app.utils.networks import validate_networks
from tasks_app.utils.time_zones import is_zone_name


def validate_time_zone(value: str) -> None:
    """Raise ValidationError unless `value` names a zone of the tz database."""
    if not is_zone_name(value):
        raise ValidationError(_("%(value)s is not a known time zone."), params={"value": value})


SPEED_LIMIT_VALIDATORS = [MinValueValidator(1), MaxValueValidator(500)]
SPEED_TOLERANCE_VALIDATORS = [MinValueValidator(0), MaxValueValidator(200)]
SECONDS_VALIDATORS = [MaxValueValidator(24 * 3600)]
METERS_VALIDATORS = [MinValueValidator(0), MaxValueValidator(10_000)]


class FleetRole(models.TextChoices):
    VIEWER = "viewer", _("Viewer")
    OPERATOR = "operator", _("Operator")
    MANAGER = "manager", _("Manager")


class RuleCommands(models.TextChoices):
    """Commands that rules may send to a fleet's devices, without a person at that moment."""

    NONE = "none", _("None")
    HARMLESS = "harmless", _("Only harmless ones")
    ALL = "all", _("All, dangerous ones too")


class Fleet(models.Model):
    """A set of devices that the same people look after."""

    name = models.CharField(_("name"), max_length=100, unique=True, validators=[ONE_LINE])
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[validate_time_zone])
    speed_limit_kph = models.FloatField(
        _("speed limit (km/h)"), null=True, blank=True, validators=SPEED_LIMIT_VALIDATORS
    )
    overspeed_tolerance_kph = models.FloatField(
        _("overspeed tolerance (km/h)"),
        default=5.0,
        validators=SPEED_TOLERANCE_VALIDATORS,
        help_text=_("Overspeed begins above the limit plus this much, and ends at the limit."),
    )
    overspeed_min_seconds = models.PositiveIntegerField(
        _("overspeed from (seconds)"),
        default=0,
        validators=SECONDS_VALIDATORS,
        help_text=_("Overspeed shorter than this is not recorded."),
    )
    geofence_tolerance_meters = models.FloatField(
        _("geofence tolerance (m)"),
        default=0.0,
        validators=METERS_VALIDATORS,
        help_text=_("A device has left a geofence only when it is farther outside than this."),
    )
    geofence_dwell_seconds = models.PositiveIntegerField(
        _("geofence dwell (seconds)"),
        default=0,
        validators=SECONDS_VALIDATORS,
        help_text=_("How long a device must stay inside or outside before entering or leaving is recorded."),
    )
    battery_low_percent = models.FloatField(
        _("battery low below (%)"),
        default=20.0,
        validators=[MinValueValidator(0), MaxValueValidator(90)],
        help_text=_("Told once, and again only after the battery was 10 % above this. 0 switches it off."),
    )
    offline_after_minutes = models.PositiveIntegerField(
        _("offline after (minutes)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Silence after which a device counts as offline; empty uses the system's setting."),
    )
    positions_days_to_keep = models.PositiveIntegerField(
        _("keep positions (days)"),
        null=True,
        blank=True,
        validators=DAYS_VALIDATORS,
        help_text=_("Empty uses the system's setting."),
    )
    keep_positions_forever = models.BooleanField(
        _("keep positions for ever"), default=False, help_text=_("Retention removes none of them.")
    )
    tracker_networks = ArrayField(
        models.CharField(max_length=43),
        default=list,
        # For hosts of the former version, whose fleets name none.
        db_default=[],
        blank=True,
        validators=[validate_networks],
        verbose_name=_("networks of trackers"),
        help_text=_("Addresses its trackers may connect from, such as 203.0.113.0/24; empty allows all."),
    )
    rule_commands = models.CharField(
        _("commands of rules"),
        max_length=8,
        choices=RuleCommands,
        default=RuleCommands.NONE,
        # For hosts of the former version.
        db_default=RuleCommands.NONE,
        help_text=_("What rules may send to its devices by themselves."),
    )
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="FleetMembership", related_name="fleets", verbose_name=_("members")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("fleet")
        verbose_name_plural = _("fleets")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="fleet_speed_limit_sane",
                condition=models.Q(speed_limit_kph__isnull=True)
                | models.Q(speed_limit_kph__gt=0, speed_limit_kph__lte=500),
            ),
            models.CheckConstraint(
                name="fleet_keeps_positions_for_days_or_ever",
                condition=models.Q(keep_positions_forever=False) | models.Q(positions_days_to_keep__isnull=True),
                violation_error_message=_("Keep positions for a number of days or for ever, not both."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)


class FleetMembership(models.Model):
    """Role of a user in a fleet."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("user")
    )
    fleet = models.ForeignKey(Fleet, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("fleet"))
    role = models.CharField(_("role"), max_length=10, choices=FleetRole, default=FleetRole.VIEWER)

    class Meta:
        verbose_name = _("fleet membership")
        verbose_name_plural = _("fleet memberships")
        constraints = [models.UniqueConstraint(fields=["user", "fleet"], name="one_membership_per_user_and_fleet")]

    def __str__(self) -> str:
        return f"{self.user} · {self.fleet} · {self.get_role_display()}"
