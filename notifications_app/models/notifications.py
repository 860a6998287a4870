"""Notifications: one message to one person."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications_app.models.kinds import message_kind_choices
from notifications_app.models.rules import Rule
from tasks_app.models import Device, Event


class Notification(models.Model):
    """One message to one person. `dedupe_key` makes writing it idempotent: a person gets a message once.

    `on_behalf_to` is the address of a recipient without an account; `user` is then the person responsible for it.
    The texts of an event's message may be empty until it is first read or sent (services.texts fills them);
    `event_data` is what then replaces values of the event's own data. A message about several devices or fleets keeps
    which it names, so that the right to see them can be checked when it is sent.
    """

    # Each index below begins with the user: one of its own would only cost.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        db_index=False,
        related_name="notifications",
        verbose_name=_("user"),
    )
    kind = models.CharField(_("kind"), max_length=16, choices=message_kind_choices)
    event = models.ForeignKey(
        Event, on_delete=models.SET_NULL, null=True, blank=True, related_name="notifications", verbose_name=_("event")
    )
    device = models.ForeignKey(
        Device, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("device")
    )
    rule = models.ForeignKey(
        Rule, on_delete=models.SET_NULL, null=True, blank=True, related_name="notifications", verbose_name=_("rule")
    )
    event_data = models.JSONField(default=dict, blank=True, editable=False)
    named_device_ids = ArrayField(models.BigIntegerField(), null=True, editable=False)
    named_fleet_ids = ArrayField(models.BigIntegerField(), null=True, editable=False)
    dedupe_key = models.CharField(max_length=200, editable=False)
    subject = models.CharField(_("subject"), max_length=200)
    body_text = models.TextField(_("text"), blank=True)
    body_html = models.TextField(_("HTML"), blank=True)
    on_behalf_to = models.EmailField(_("sent on behalf to"), blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True)
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True, blank=True)

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["user", "-created_at"], name="notification_by_user"),
            models.Index(fields=["-created_at", "-id"], name="notification_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["user", "dedupe_key"], name="one_notification_per_user_and_news")
        ]

    def __str__(self) -> str:
        # Texts are written when they are first needed.
        return self.subject or self.get_kind_display()


class NotificationAttachment(models.Model):
    """A file attached to a notification. It stays in the storage and belongs to the package that stored it."""

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
