"""Destinations: a person's webhooks and chats, switched off when they stop working."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications_app.models import encryption
from notifications_app.models.kinds import channel_choices
from tasks_app.models.lines import ONE_LINE


class Destination(models.Model):
    """An address of one person for a channel. Secrets (addresses with tokens, signing keys) are stored encrypted.

    For e-mail, which goes to the address of the account, a row exists only while that address is switched off.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="destinations", verbose_name=_("user")
    )
    kind = models.CharField(_("channel"), max_length=16, choices=channel_choices)
    name = models.CharField(_("name"), max_length=100, validators=[ONE_LINE])
    address = models.CharField(_("address"), max_length=320, editable=False)
    encrypted_secrets = models.TextField(editable=False)
    is_enabled = models.BooleanField(_("enabled"), default=True)
    disabled_reason = models.CharField(_("reason it is off"), max_length=500, blank=True, editable=False)
    disabled_at = models.DateTimeField(_("off since"), null=True, blank=True, editable=False)
    tested_at = models.DateTimeField(_("last successful test"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("destination")
        verbose_name_plural = _("destinations")
        ordering = ["kind", "name", "id"]
        constraints = [models.UniqueConstraint(fields=["user", "kind", "name"], name="one_destination_per_name")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.name}"

    @property
    def secrets(self) -> dict[str, str]:
        """The decrypted secrets. Raises encryption.Unreadable if no key opens them."""
        return encryption.decrypt(self.encrypted_secrets)

    @secrets.setter
    def secrets(self, values: dict[str, str]) -> None:
        self.encrypted_secrets = encryption.encrypt(values)
