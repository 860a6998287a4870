"""Custom templates of messages, in place of the built-in ones."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications_app.models.kinds import message_kind_choices


class MessageTemplate(models.Model):
    """The custom texts of one kind of message in one language. Empty parts are those of the built-in template."""

    kind = models.CharField(_("kind"), max_length=16, choices=message_kind_choices)
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES)
    subject = models.CharField(_("subject"), max_length=500, blank=True)
    text = models.TextField(_("text"), blank=True, max_length=20_000)
    html = models.TextField(_("HTML"), blank=True, max_length=50_000)
    is_active = models.BooleanField(_("active"), default=True)
    last_error = models.CharField(_("last error"), max_length=500, blank=True, editable=False)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        ordering = ["kind", "language"]
        constraints = [models.UniqueConstraint(fields=["kind", "language"], name="one_template_per_kind_and_language")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.get_language_display()}"
