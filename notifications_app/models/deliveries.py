"""Deliveries: the sending of one notification through one channel, and every attempt at it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications_app.models.destinations import Destination
from notifications_app.models.kinds import channel_choices
from notifications_app.models.notifications import Notification

# Channels with at most one delivery per notification. A constraint cannot follow the registry: later channels are held to it
# by services.notifications alone, which writes each notification's deliveries once.
_SINGLE_CHANNELS = ["in_app", "email", "websocket"]


class DeliveryState(models.TextChoices):
    PENDING = "pending", _("Pending")
    SENDING = "sending", _("Sending")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")
    MERGED = "merged", _("Merged")


class Delivery(models.Model):
    """The sending of one notification through one channel, with how often it was tried and what came back.

    `destination` is which of the person's own, for channels that have any. `address` is readable, without secrets.
    `merged_into` is the digest that replaced this one and others after an outage.
    """

    # The constraint of destinations below begins with the notification: an index of its own would only cost.
    notification = models.ForeignKey(
        Notification,
        on_delete=models.CASCADE,
        db_index=False,
        related_name="deliveries",
        verbose_name=_("notification"),
    )
    channel = models.CharField(_("channel"), max_length=16, choices=channel_choices)
    destination = models.ForeignKey(
        Destination,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="deliveries",
        verbose_name=_("destination"),
    )
    address = models.CharField(_("address"), max_length=320, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=DeliveryState, default=DeliveryState.PENDING)
    attempt_count = models.PositiveIntegerField(_("attempts"), default=0)
    # Attempts before a requested retry, which do not count towards the limit.
    attempts_forgiven = models.PositiveIntegerField(default=0, editable=False)
    last_error = models.TextField(_("last error"), blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    # Quiet hours of its person: not sent before.
    hold_until = models.DateTimeField(_("held until"), null=True, blank=True)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    merged_into = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="merged",
        verbose_name=_("merged into"),
    )

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="delivery_by_time"),
            models.Index(
                fields=["created_at"],
                name="delivery_not_yet_sent",
                condition=models.Q(state__in=["pending", "sending"]),
            ),
            models.Index(
                fields=["destination"], name="delivery_destination", condition=models.Q(destination__isnull=False)
            ),
            models.Index(
                fields=["merged_into"], name="delivery_merged_into", condition=models.Q(merged_into__isnull=False)
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["notification", "channel"],
                name="one_delivery_per_notification_and_channel",
                condition=models.Q(channel__in=_SINGLE_CHANNELS),
            ),
            models.UniqueConstraint(
                fields=["notification", "destination"], name="one_delivery_per_notification_and_destination"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} · {self.get_state_display()}"


class AttemptOutcome(models.TextChoices):
    SENDING = "sending", _("Sending")
    SENT = "sent", _("Sent")
    RETRY = "retry", _("Will be retried")
    FAILED = "failed", _("Failed")


class DeliveryAttempt(models.Model):
    """One attempt at a delivery: when, to whom, what the server answered. Its sender died if it stays `sending`."""

    delivery = models.ForeignKey(
        Delivery, on_delete=models.CASCADE, related_name="attempts", verbose_name=_("delivery")
    )
    number = models.PositiveIntegerField(_("attempt"))
    outcome = models.CharField(_("outcome"), max_length=8, choices=AttemptOutcome, default=AttemptOutcome.SENDING)
    address = models.CharField(_("address"), max_length=320, blank=True)
    answer = models.TextField(_("answer"), blank=True)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    # Of the request that led to it, through jobs. Workers of the former version write rows without it.
    request_id = models.CharField(_("request"), max_length=64, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["delivery_id", "number"]
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="one_row_per_delivery_and_attempt")]

    def __str__(self) -> str:
        return f"{self.number} · {self.get_outcome_display()}"

    @property
    def duration_seconds(self) -> float | None:
        """The duration of the attempt; None while it runs, or if its sender died."""
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None
