"""Rules: the events to notify of, the people, the conditions, times and channels."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications_app.models.kinds import NotificationKind, channel_choices, rule_kind_choices
from tasks_app.models import Device, Fleet, FleetRole, Geofence, SavedCommand
from tasks_app.models.geofences import validate_windows_field
from tasks_app.models.lines import ONE_LINE

MAX_MINUTES = 30 * 24 * 60


def validate_event_kinds(values: Sequence[str]) -> None:
    """Raise ValidationError unless these are different kinds of events. A validator, so that a new kind is no migration."""
    _check_choices(values, [kind for kind, _label in rule_kind_choices()])


def validate_channels(values: Sequence[str]) -> None:
    """Raise ValidationError unless these are different channels."""
    _check_choices(values, [kind for kind, _label in channel_choices()])


def validate_roles(values: Sequence[str]) -> None:
    """Raise ValidationError unless these are different roles in a fleet."""
    _check_choices(values, FleetRole.values)


def _check_choices(values: Sequence[str], allowed: Sequence[str]) -> None:
    if unknown := sorted(set(values) - set(allowed)):
        raise ValidationError(_("Unknown: %(values)s."), params={"values": ", ".join(unknown)})
    if len(set(values)) != len(values):
        raise ValidationError(_("Name each value only once."))


class Rule(models.Model):
    """Notify these people of these kinds of events through these channels.

    Empty fields do not restrict the rule: no fleet is every fleet, no devices are all of the fleet. `windows`
    (see geo.windows) are on the clocks of the event's fleet. `geofences` narrow down entering and leaving;
    `within_geofences` is about where any event happened.
    """

    fleet = models.ForeignKey(
        Fleet,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="rules",
        verbose_name=_("fleet"),
        help_text=_("Empty: every fleet. Only staff may make such rules."),
    )
    name = models.CharField(_("name"), max_length=100, validators=[ONE_LINE])
    is_active = models.BooleanField(_("active"), default=True)
    event_kinds = ArrayField(
        models.CharField(max_length=24), verbose_name=_("event kinds"), validators=[validate_event_kinds]
    )
    alarms = ArrayField(
        models.CharField(max_length=40),
        verbose_name=_("alarms"),
        default=list,
        blank=True,
        help_text=_("Only these alarms, as the devices call them, such as sos. Empty: all."),
    )
    devices = models.ManyToManyField(Device, related_name="rules", blank=True, verbose_name=_("devices"))
    geofences = models.ManyToManyField(
        Geofence,
        related_name="rules",
        blank=True,
        verbose_name=_("geofences"),
        help_text=_("Only entering and leaving these. Empty: all."),
    )
    min_speed_kph = models.FloatField(
        _("speed above (km/h)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(500)],
        help_text=_("Events without a known speed then cause no notification."),
    )
    within_geofences = models.ManyToManyField(
        Geofence,
        related_name="+",
        blank=True,
        verbose_name=_("only inside"),
        help_text=_("Only events inside one of these geofences."),
    )
    min_duration_minutes = models.FloatField(
        _("lasting at least (minutes)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_MINUTES)],
        help_text=_("For overspeed and offline: sent once the state has lasted this long."),
    )
    windows = models.JSONField(
        _("only at these times"),
        default=list,
        blank=True,
        validators=[validate_windows_field],
        help_text=_('Weekly, in the fleet\'s time zone: [{"days": [0, 1, 2, 3, 4], "from": "22:00", "to": "06:00"}].'),
    )
    users = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="rules", blank=True, verbose_name=_("people"))
    roles = ArrayField(
        models.CharField(max_length=10),
        verbose_name=_("roles"),
        default=list,
        blank=True,
        validators=[validate_roles],
        help_text=_("Everyone with one of these roles in the event's fleet."),
    )
    channels = ArrayField(models.CharField(max_length=16), verbose_name=_("channels"), validators=[validate_channels])
    command = models.ForeignKey(
        SavedCommand,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="rules",
        verbose_name=_("command"),
        help_text=_("Also sent to the event's device, where its fleet allows that to rules."),
    )
    cooldown_minutes = models.PositiveIntegerField(
        _("at most every (minutes)"),
        default=0,
        validators=[MaxValueValidator(MAX_MINUTES)],
        help_text=_("Per device and kind of event; 0: no limit."),
    )
    digest_every_minutes = models.PositiveIntegerField(
        _("digest every (minutes)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 60)],
    )
    digest_daily_at = models.TimeField(
        _("digest daily at"), null=True, blank=True, help_text=_("In the recipient's time zone.")
    )

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(
                name="rule_has_one_kind_of_digest",
                condition=models.Q(digest_every_minutes__isnull=True) | models.Q(digest_daily_at__isnull=True),
                violation_error_message=_("Choose one digest: every so many minutes, or daily."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Raise ValidationError for a rule that could never match."""
        if NotificationKind.SYSTEM in (self.event_kinds or ()) and self.fleet_id is not None:
            raise ValidationError({"fleet": _("System alerts belong to no fleet: leave the fleet empty.")})


class EscalationStep(models.Model):
    """The people to notify if an alert of the rule is not acknowledged within so many minutes."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="escalation_steps", verbose_name=_("rule"))
    after_minutes = models.PositiveIntegerField(
        _("after (minutes)"), validators=[MinValueValidator(1), MaxValueValidator(MAX_MINUTES)]
    )
    users = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", verbose_name=_("people"))

    class Meta:
        verbose_name = _("escalation step")
        verbose_name_plural = _("escalation steps")
        ordering = ["rule_id", "after_minutes"]
        constraints = [models.UniqueConstraint(fields=["rule", "after_minutes"], name="one_escalation_step_per_time")]

    def __str__(self) -> str:
        return f"{self.rule} · {self.after_minutes}"
