"""Opt-outs from e-mails."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications_app.models.kinds import message_kind_choices
from notifications_app.models.rules import Rule


class EmailOptOut(models.Model):
    """An opt-out of a user from the e-mails of one rule or, without a rule, of one kind of message."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="email_opt_outs", verbose_name=_("user")
    )
    rule = models.ForeignKey(
        Rule, on_delete=models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("rule")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=message_kind_choices, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("unsubscribed e-mail")
        verbose_name_plural = _("unsubscribed e-mails")
        ordering = ["user_id", "rule_id", "kind"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "kind"], name="one_opt_out_per_user_and_kind", condition=models.Q(rule__isnull=True)
            ),
            models.UniqueConstraint(fields=["user", "rule"], name="one_opt_out_per_user_and_rule"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.rule or self.get_kind_display()}"
