"""Fixes that could not be right, kept for a while to find the cause."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.models.devices import Device

# The longest packet of a Teltonika in hexadecimal, and more: its tracker has deleted it.
MAX_BODY_CHARACTERS = 4000
MAX_DETAIL_CHARACTERS = 300
MAX_CODE_CHARACTERS = 40


class FixSource(models.TextChoices):
    """The way a fix came in."""

    OSMAND = "osmand", _("Phone (OsmAnd protocol)")
    OWNTRACKS = "owntracks", _("Phone (OwnTracks)")
    TRACCAR = "traccar", _("Traccar server")
    POSITIONS = "positions", _("Own gateway (JSON)")
    GATEWAY = "gateway", _("Tracker (gateway)")
    INBOX = "inbox", _("Inbox")


class QuarantinedFix(models.Model):
    """A message answered with success though its fix cannot be right. Only its repetitions are counted."""

    device = models.ForeignKey(
        Device,
        on_delete=models.CASCADE,
        null=True,
        related_name="quarantined_fixes",
        db_index=False,
        verbose_name=_("device"),
    )
    unique_id = models.CharField(_("unique id"), max_length=128, blank=True)
    source = models.CharField(_("source"), max_length=12, choices=FixSource)
    code = models.CharField(_("reason"), max_length=MAX_CODE_CHARACTERS)
    detail = models.CharField(_("detail"), max_length=MAX_DETAIL_CHARACTERS, blank=True)
    body = models.TextField(_("body"), blank=True, help_text=_("As it came, shortened; without keys and tokens."))
    received_at = models.DateTimeField(_("received at"))
    count = models.PositiveIntegerField(_("times received"), default=1, db_default=1)
    last_received_at = models.DateTimeField(
        _("last received at"), null=True, blank=True, help_text=_("Of what came more than once.")
    )

    class Meta:
        verbose_name = _("quarantined fix")
        verbose_name_plural = _("quarantined fixes")
        ordering = ["-id"]
        indexes = [
            # Finds a device's newest rows, which are the ones kept.
            models.Index(fields=["device", "id"], name="quarantine_by_device"),
            models.Index(fields=["received_at"], name="quarantine_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.unique_id} · {self.code}"
