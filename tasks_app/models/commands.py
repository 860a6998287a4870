"""Commands to devices: what is asked of a device, every attempt to tell it, and how it can be reached."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tasks_app.ingest.trackers.command_types import COMMAND_TYPES, InvalidParameters, check_parameters
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models.devices import Device
from tasks_app.models.fleets import Fleet
from tasks_app.models.lines import ONE_LINE

MAX_REASON_CHARACTERS = 300
MAX_ANSWER_CHARACTERS = 1000


def command_type_choices() -> list[tuple[str, Any]]:
    """The choices of `Command.type`; a function, so that a new type changes no migration."""
    return [(one.name, one.label) for one in COMMAND_TYPES.values()]


def protocol_choices() -> list[tuple[str, str]]:
    """The protocols of trackers; a function, so that a new one changes no migration."""
    return [(one.name, one.label) for one in PROTOCOLS.values()]


class CommandWay(models.TextChoices):
    """The way a command takes to its device."""

    SESSION = "session", _("Tracker's connection")
    TRACCAR = "traccar", _("Traccar server")
    POLL = "poll", _("Answer to the device's next request")
    SMS = "sms", _("SMS")


# A link of a device's chain that sends no command: it makes the tracker connect, for the ways behind it.
WAKE_UP = "wake_up"


def chain_choices() -> list[tuple[str, Any]]:
    """The links of a device's chain; a function, so that a new one changes no migration."""
    return [*CommandWay.choices, (WAKE_UP, _("SMS that wakes the tracker"))]


class CommandState(models.TextChoices):
    AWAITING_CONFIRMATION = "awaiting_confirmation", _("Awaiting confirmation")
    QUEUED = "queued", _("Queued")
    SENDING = "sending", _("Sending")
    SENT = "sent", _("Sent, not answered")
    ACKNOWLEDGED = "acknowledged", _("Acknowledged, effect not seen")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    EXPIRED = "expired", pgettext_lazy("command", "Expired")
    CANCELLED = "cancelled", _("Cancelled")
    UNCONFIRMED = "unconfirmed", _("Unconfirmed")


class Command(models.Model):
    """One request to a device. Its row exists before anything is sent, and is never sent after `expires_at`.

    `way` is the way asked for, "" for the device's chain. `state_reason` says why a command ended as it did, or why it waits.
    `is_override` was asked for by a person who may stop a vehicle against the rules of speed and age; `reason` says why.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="commands", verbose_name=_("device"))
    type = models.CharField(_("type"), max_length=32, choices=command_type_choices)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    way = models.CharField(_("way"), max_length=8, choices=CommandWay, blank=True)
    priority = models.SmallIntegerField(
        _("priority"), default=0, validators=[MinValueValidator(-100), MaxValueValidator(100)]
    )
    not_before = models.DateTimeField(_("not before"), null=True, blank=True)
    expires_at = models.DateTimeField(pgettext_lazy("command", "expires at"))
    state = models.CharField(_("state"), max_length=24, choices=CommandState, default=CommandState.QUEUED)
    state_reason = models.CharField(_("reason of the state"), max_length=MAX_REASON_CHARACTERS, blank=True)
    # One key of a person makes one command, however often it is asked for.
    idempotency_key = models.CharField(_("idempotency key"), max_length=64, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    reason = models.CharField(_("reason"), max_length=MAX_REASON_CHARACTERS, blank=True)
    is_override = models.BooleanField(_("against the rules of safety"), default=False)
    batch = models.UUIDField(_("batch"), null=True, blank=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("confirmed by"),
    )
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    sent_at = models.DateTimeField(pgettext_lazy("command", "sent at"), null=True, blank=True)
    acknowledged_at = models.DateTimeField(pgettext_lazy("command", "acknowledged at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    answer = models.CharField(_("answer"), max_length=MAX_ANSWER_CHARACTERS, blank=True)
    # Of a queued command: when a way was last looked for, and before when it is not to be tried again.
    last_tried_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_attempt_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Grows with each change that is announced: of two versions of a command that live viewers get, the higher one is newer.
    version = models.BigIntegerField(default=0, db_default=0, editable=False)

    class Meta:
        verbose_name = _("command")
        verbose_name_plural = _("commands")
        ordering = ["-created_at", "-id"]
        permissions = [
            ("send_dangerous_command", "Can send dangerous commands"),
            ("override_command_safety", "Can stop a vehicle against the rules of safety"),
            ("cancel_command", "Can cancel commands"),
            ("confirm_command", "Can confirm commands of others"),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="command_by_time"),
            models.Index(fields=["device", "-created_at"], name="command_by_device_and_time"),
            models.Index(fields=["batch"], name="command_by_batch", condition=models.Q(batch__isnull=False)),
            models.Index(
                fields=["expires_at"],
                name="command_not_ended",
                condition=models.Q(state__in=["awaiting_confirmation", "queued", "sending", "sent", "acknowledged"]),
            ),
            # For the sweep, which looks for effects and answers that are due.
            models.Index(
                fields=["sent_at"],
                name="command_sent",
                condition=models.Q(state__in=["sent", "acknowledged", "unconfirmed"]),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["requested_by", "idempotency_key"],
                name="one_command_per_user_and_key",
                condition=~models.Q(idempotency_key=""),
                # Jobs of schedules and rules ask for nobody.
                nulls_distinct=False,
            ),
            # One outstanding: the database itself refuses a second.
            models.UniqueConstraint(
                fields=["device"],
                name="one_outstanding_command_per_device",
                condition=models.Q(state__in=["sending", "sent"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_type_display()} · {self.device}"


class CommandAttempt(models.Model):
    """One attempt to tell a device a command: the row exists before the bytes are written.

    `token` and `name` are what the answer will bear; `data` are the bytes. Without `sent_at` and `error` its sender died,
    and nobody knows whether the device got it.
    """

    command = models.ForeignKey(Command, on_delete=models.CASCADE, related_name="attempts", verbose_name=_("command"))
    number = models.PositiveIntegerField(_("attempt"))
    way = models.CharField(_("way"), max_length=8, choices=CommandWay)
    token = models.CharField(_("token"), max_length=64, blank=True)
    name = models.CharField(_("name in answers"), max_length=64, blank=True)
    data = models.BinaryField(_("bytes"))
    text = models.CharField(_("text"), max_length=1000, blank=True)
    # The connection, server or number it went to.
    address = models.CharField(_("address"), max_length=320, blank=True)
    started_at = models.DateTimeField(_("started at"))
    sent_at = models.DateTimeField(pgettext_lazy("command", "sent at"), null=True, blank=True)
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)
    answer = models.CharField(_("answer"), max_length=MAX_ANSWER_CHARACTERS, blank=True)
    error = models.CharField(_("error"), max_length=MAX_REASON_CHARACTERS, blank=True)

    class Meta:
        default_permissions = ()
        verbose_name = _("attempt at a command")
        verbose_name_plural = _("attempts at commands")
        ordering = ["command_id", "number"]
        constraints = [models.UniqueConstraint(fields=["command", "number"], name="one_row_per_command_and_attempt")]

    def __str__(self) -> str:
        return str(self.number)


class SavedCommand(models.Model):
    """A command with a name, ready to send. Texts of its parameters may hold {name} and {unique_id} of the device."""

    fleet = models.ForeignKey(
        Fleet,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="saved_commands",
        verbose_name=_("fleet"),
        help_text=_("Empty for all fleets."),
    )
    name = models.CharField(_("name"), max_length=100, validators=[ONE_LINE])
    type = models.CharField(_("type"), max_length=32, choices=command_type_choices)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)

    class Meta:
        verbose_name = _("saved command")
        verbose_name_plural = _("saved commands")
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["fleet", "name"], name="one_saved_command_per_name", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse parameters that a command of this type cannot have. Placeholders are filled in when it is sent."""
        if self.type not in COMMAND_TYPES:
            return
        if not isinstance(self.parameters, dict):
            raise ValidationError({"parameters": _("Must be an object.")})
        try:
            self.parameters = check_parameters(self.type, self.parameters)
        except InvalidParameters as error:
            texts = [f"{name}: {text}" for name, text in error.errors.items()]
            raise ValidationError({"parameters": texts}) from error
