"""The audit table: one row for each thing that a person did. The database refuses to change or remove rows (ADR 15)."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

MAX_REASON_CHARS = 500
MAX_OBJECT_TEXT_CHARS = 200
MAX_CLIENT_CHARS = 255


class AuditEntry(models.Model):
    """One change, log-in or download: by whom, when, from where, of what, with the values before and after."""

    created_at = models.DateTimeField(_("when"), db_default=Now())
    # No foreign key: an entry names its user when the account is gone.
    user_id = models.BigIntegerField(_("number of the user"), null=True)
    username = models.CharField(_("person"), max_length=150, blank=True)
    way = models.CharField(_("way"), max_length=10, help_text=_("api, admin, pages, ingest, shell, command or job."))
    origin = models.CharField(_("operation"), max_length=200, blank=True)
    address = models.GenericIPAddressField(_("address"), null=True)
    client = models.CharField(_("program"), max_length=MAX_CLIENT_CHARS, blank=True)
    verb = models.CharField(_("action"), max_length=24)
    object_type = models.CharField(_("kind of object"), max_length=100, blank=True)
    object_id = models.CharField(_("id of the object"), max_length=64, blank=True)
    object_text = models.CharField(_("object"), max_length=MAX_OBJECT_TEXT_CHARS, blank=True)
    # {"field": [before, after]}, of lists of rows {"field": {"added": [...], "removed": [...]}}; of a verb what it was given.
    changes = models.JSONField(_("changes"), default=dict)
    reason = models.CharField(_("reason"), max_length=MAX_REASON_CHARS, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="audit_by_time"),
            models.Index(fields=["user_id", "-created_at"], name="audit_by_user"),
            models.Index(fields=["username", "-created_at"], name="audit_by_username"),
            models.Index(fields=["object_type", "object_id", "-created_at"], name="audit_by_object"),
            models.Index(fields=["verb", "-created_at"], name="audit_by_verb"),
        ]

    def __str__(self) -> str:
        return f"{self.username or self.way} · {self.verb} · {self.object_text or self.object_type}"
