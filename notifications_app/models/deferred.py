"""The event outbox, and alerts that are deferred: pending, held, escalated; cooldowns; trouble of the system."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications_app.models.rules import Rule
from tasks_app.models import Device, Event


class EventDispatch(models.Model):
    """A row of the event outbox: events not yet matched. Written with the events, deleted with the results."""

    event_ids = ArrayField(models.BigIntegerField())
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("event dispatch")
        verbose_name_plural = _("event dispatches")

    def __str__(self) -> str:
        return f"{self.pk}"


class WaitingAlert(models.Model):
    """An alert of this event for its rule at `due_at`, if the state still lasts then."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="+")
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="+")
    due_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("waiting alert")
        verbose_name_plural = _("waiting alerts")
        constraints = [models.UniqueConstraint(fields=["rule", "event"], name="one_waiting_alert_per_rule_and_event")]

    def __str__(self) -> str:
        return f"{self.rule_id} · {self.event_id}"


class HoldReason(models.TextChoices):
    QUIET_HOURS = "quiet_hours", _("Quiet hours")
    DIGEST = "digest", _("Digest")
    BACKLOG = "backlog", _("Arrived late")
    FLOOD = "flood", _("Many at once")


class HeldAlert(models.Model):
    """Events held for a person's digest, counted by kind and device so that the table stays bounded.

    `reason` is a HoldReason or, of digests that rules ask for, their key (`matching.delivery_times.Digest`).
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=24)
    reason = models.CharField(max_length=12)
    channels = ArrayField(models.CharField(max_length=16))
    event_count = models.PositiveIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    due_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("held alert")
        verbose_name_plural = _("held alerts")
        constraints = [
            models.UniqueConstraint(fields=["user", "device", "kind", "reason"], name="one_held_alert_per_kind")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} · {self.device_id} · {self.kind}"


class RuleCooldown(models.Model):
    """The time of the last notified event of a rule, kind and device."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="+")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=24)
    notified_at = models.DateTimeField()

    class Meta:
        verbose_name = _("cooldown")
        verbose_name_plural = _("cooldowns")
        constraints = [
            models.UniqueConstraint(fields=["rule", "device", "kind"], name="one_cooldown_per_rule_and_kind")
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} · {self.device_id} · {self.kind}"


class Escalation(models.Model):
    """An unacknowledged alert: the rule's next step is notified at `due_at`. Deleted when it ends."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="+")
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="+")
    notified_at = models.DateTimeField()
    # Minutes of the latest step that was taken: the others may be moved meanwhile.
    taken_minutes = models.PositiveIntegerField(default=0, db_default=0)
    due_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("escalation")
        verbose_name_plural = _("escalations")
        constraints = [models.UniqueConstraint(fields=["rule", "event"], name="one_escalation_per_rule_and_event")]

    def __str__(self) -> str:
        return f"{self.rule_id} · {self.event_id}"


class SystemTrouble(models.Model):
    """Trouble of the system, with the times administrators were notified and it was last seen; deleted when it is over."""

    key = models.CharField(max_length=100, primary_key=True)
    since = models.DateTimeField()
    notified_at = models.DateTimeField()
    # Checks of the former version write rows without it.
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("system trouble")
        verbose_name_plural = _("system troubles")

    def __str__(self) -> str:
        return self.key
