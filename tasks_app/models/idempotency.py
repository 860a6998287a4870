"""Requests that carried an Idempotency-Key, and how they were answered."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class IdempotentRequest(models.Model):
    """A request of a user under a key, and its answer once what it asked for is done (docs/adr/0013).

    The row is locked while the request is worked on. Without a lock and without an answer its first process ended half way.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("user")
    )
    key_hash = models.CharField(_("hash of the key"), max_length=64)
    fingerprint = models.CharField(_("hash of the request"), max_length=64)
    # The ids of the jobs that it makes follow from this.
    seed = models.UUIDField(_("seed of job ids"))
    created_at = models.DateTimeField(_("created at"))
    status_code = models.PositiveSmallIntegerField(_("status of the answer"), null=True)
    # Encrypted: some answers hold a secret that is shown once.
    answer = models.BinaryField(_("answer"), null=True)

    class Meta:
        verbose_name = _("request with an idempotency key")
        verbose_name_plural = _("requests with an idempotency key")
        constraints = [models.UniqueConstraint(fields=["user", "key_hash"], name="one_request_per_user_and_key")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_request_by_age")]

    def __str__(self) -> str:
        return f"{self.user} · {self.key_hash[:8]}"
