"""Retention settings, archives of removed positions, and daily samples of sizes."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.utils.business_hours import parse_business_hours

MAX_DAYS = 36_500
DAYS_VALIDATORS = [MinValueValidator(1), MaxValueValidator(MAX_DAYS)]


def _days(name: Any, help_text: Any = "") -> Any:
    return models.PositiveIntegerField(name, null=True, blank=True, validators=DAYS_VALIDATORS, help_text=help_text)


class RetentionSettings(models.Model):
    """One row. An empty field leaves its setting to the environment (settings.RETENTION_DAYS and its like)."""

    positions_days = _days(
        _("positions (days)"), _("Fleets and devices may say otherwise. Last known positions always stay.")
    )
    archive_positions = models.BooleanField(
        _("archive positions"),
        null=True,
        blank=True,
        help_text=_("Before positions go, they are written to a file (CSV, gzipped) that can be restored."),
    )
    archives_days = _days(_("archives (days)"))
    device_days_days = _days(_("figures of a device's day (days)"))
    events_days = _days(_("events (days)"), _("The position of an event stays as long as the event."))
    jobs_succeeded_days = _days(_("succeeded jobs (days)"))
    jobs_failed_days = _days(_("failed and cancelled jobs (days)"))
    notifications_days = _days(_("notifications and deliveries (days)"))
    reports_days = _days(_("reports and their files (days)"))
    uploads_days = _days(_("imports of positions (days)"))
    quarantine_days = _days(_("quarantined fixes (days)"))
    filtered_days = _days(_("filtered fixes (days)"))
    filter_counts_days = _days(_("counts of filtered fixes (days)"))
    audit_days = _days(
        _("audit (days)"), _("The audit, steps of staff on jobs and queues, the admin's log, failed log-ins.")
    )
    storage_samples_days = _days(_("sizes of tables (days)"))
    duplicate_meters = models.FloatField(
        _("duplicates: same place within (m)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    duplicate_seconds = models.FloatField(
        _("duplicates: same time within (s)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(60)],
    )
    thin_standing_seconds = models.PositiveIntegerField(
        _("thin standing devices to one in (s)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(10), MaxValueValidator(3600)],
        help_text=_("Empty switches it off. First and last position of a stop always stay."),
    )
    business_hours = models.CharField(
        _("business hours"),
        max_length=11,
        blank=True,
        help_text=_("As 07:00-19:00, in the server's zone, Monday to Friday: then the database is not optimized."),
    )
    storage_budget_gigabytes = models.FloatField(
        _("storage budget (GB)"), null=True, blank=True, validators=[MinValueValidator(0.001)]
    )
    storage_alert_days = models.PositiveIntegerField(
        _("warn before the budget is reached (days)"), null=True, blank=True, validators=DAYS_VALIDATORS
    )

    class Meta:
        verbose_name = _("retention settings")
        verbose_name_plural = _("retention settings")
        constraints = [models.CheckConstraint(name="retention_settings_one_row", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)

    def clean(self) -> None:
        try:
            parse_business_hours(self.business_hours)
        except ValueError as error:
            raise ValidationError({"business_hours": str(error)}) from error


class PositionArchive(models.Model):
    """Positions of one UTC day that were written to a file before they went. The file is CSV, gzipped, with a header."""

    day = models.DateField(_("day"), help_text=_("In UTC."))
    rows = models.PositiveBigIntegerField(_("rows"))
    size_bytes = models.PositiveBigIntegerField(_("size (bytes)"))
    sha256 = models.CharField("SHA-256", max_length=64)
    file = models.FileField(_("file"), max_length=300)
    created_at = models.DateTimeField(_("created at"))
    restored_at = models.DateTimeField(_("restored at"), null=True, blank=True)
    restored_until = models.DateTimeField(
        _("restored until"), null=True, blank=True, help_text=_("Until then retention leaves the day alone.")
    )

    class Meta:
        verbose_name = _("archive of positions")
        verbose_name_plural = _("archives of positions")
        ordering = ["-day", "-id"]
        indexes = [models.Index(fields=["day"], name="position_archive_by_day")]

    def __str__(self) -> str:
        return f"{self.day} · {self.file.name}"


class StorageSample(models.Model):
    """Rows and bytes of one table (all partitions together, with indexes) on one day, as PostgreSQL estimates them."""

    day = models.DateField(_("day"))
    table = models.CharField(_("table"), max_length=63)
    rows = models.BigIntegerField(_("rows"))
    size_bytes = models.BigIntegerField(_("size (bytes)"))

    class Meta:
        verbose_name = _("size of a table")
        verbose_name_plural = _("sizes of tables")
        ordering = ["day", "table"]
        constraints = [models.UniqueConstraint(fields=["day", "table"], name="one_storage_sample_per_day_and_table")]

    def __str__(self) -> str:
        return f"{self.day} · {self.table}"
