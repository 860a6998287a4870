"""Maintenance plans: work due on a vehicle every so many kilometres, engine hours or days."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.models.devices import Device
from tasks_app.models.lines import ONE_LINE
from tasks_app.utils.clock import exact_day

# Far beyond every vehicle, and small enough that what is left of an interval is always a finite number.
MOST_KILOMETERS, MOST_ENGINE_HOURS, MOST_DAYS = 10_000_000, 1_000_000, 36_500
MAX_METERS, MAX_SECONDS = 1e10, 1e10


class MaintenanceStatus(models.TextChoices):
    OK = "ok", _("OK")
    DUE_SOON = "due_soon", _("Due soon")
    DUE = "due", _("Due")


class MaintenancePlan(models.Model):
    """At least one of the three intervals is set; the plan is due when the first of them is used up."""

    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, related_name="maintenance_plans", verbose_name=_("device")
    )
    name = models.CharField(_("name"), max_length=100, validators=[ONE_LINE])
    every_kilometers = models.FloatField(
        _("every (km)"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MOST_KILOMETERS)]
    )
    every_engine_hours = models.FloatField(
        _("every (engine hours)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_ENGINE_HOURS)],
    )
    every_days = models.PositiveIntegerField(
        _("every (days)"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MOST_DAYS)]
    )
    due_soon_percent = models.PositiveSmallIntegerField(
        _("due soon at (percent of the interval)"), default=90, validators=[MinValueValidator(1)]
    )
    last_done_at = models.DateTimeField(_("last done at"))
    last_done_odometer_meters = models.FloatField(
        _("odometer when last done (m)"),
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_METERS)],
    )
    last_done_engine_seconds = models.FloatField(
        _("engine time when last done (s)"),
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_SECONDS)],
    )
    status = models.CharField(
        _("status"), max_length=8, choices=MaintenanceStatus, default=MaintenanceStatus.OK, editable=False
    )
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("maintenance plan")
        verbose_name_plural = _("maintenance plans")
        ordering = ["device_id", "name"]
        constraints = [
            models.CheckConstraint(
                name="maintenance_has_an_interval",
                # "IS NOT NULL" says what "> 0" alone does not: a CHECK that comes to NULL passes.
                condition=models.Q(every_kilometers__isnull=False, every_kilometers__gt=0)
                | models.Q(every_engine_hours__isnull=False, every_engine_hours__gt=0)
                | models.Q(every_days__isnull=False, every_days__gt=0),
                violation_error_message=_("Give at least one interval: kilometres, engine hours or days."),
            ),
            models.CheckConstraint(
                name="maintenance_due_soon_percent_in_range",
                condition=models.Q(due_soon_percent__gte=1, due_soon_percent__lte=100),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} · {self.device}"


class MaintenanceRecord(models.Model):
    """Completed work of a plan: the time, the vehicle's figures, and the user who marked it."""

    plan = models.ForeignKey(
        MaintenancePlan, on_delete=models.CASCADE, related_name="records", verbose_name=_("maintenance plan")
    )
    done_at = models.DateTimeField(_("done at"))
    odometer_meters = models.FloatField(_("odometer (m)"))
    engine_seconds = models.FloatField(_("engine time (s)"))
    note = models.CharField(_("note"), max_length=500, blank=True)
    marked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("marked by"),
    )

    class Meta:
        verbose_name = _("maintenance record")
        verbose_name_plural = _("maintenance records")
        ordering = ["-done_at", "-id"]

    def __str__(self) -> str:
        return f"{self.plan} · {exact_day(self.done_at)}"
