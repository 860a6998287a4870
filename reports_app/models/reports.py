"""Models of reports and their files."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.models import Device, Fleet
from tasks_app.utils.clock import exact_day


class ReportKind(models.TextChoices):
    SUMMARY = "summary", _("Device summary")
    DETAILED = "detailed", _("Positions in detail")
    ROUTE = "route", _("Route")
    TRIPS = "trips", _("Trips")
    STOPS = "stops", _("Stops")
    EVENTS = "events", _("Events")
    VISITS = "visits", _("Geofence visits")
    OVERSPEED = "overspeed", _("Overspeed")
    FUEL = "fuel", _("Fuel")
    FLEET = "fleet", _("Fleet")
    DAILY = "daily", _("Fleet's day")


def kind_choices() -> list[tuple[str, Any]]:
    """Return the choices of the field `kind`. Migrations name this function, so that a new kind needs none."""
    return ReportKind.choices


class ReportState(models.TextChoices):
    PENDING = "pending", _("Pending")
    RUNNING = "running", _("Running")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Expired")


UNFINISHED = (ReportState.PENDING, ReportState.RUNNING)


class Report(models.Model):
    """One report: its parameters, its state and, once ready, its content. `[range_start, range_end)` in UTC.

    `content` is the table of `reports_app.table` without its rows: {"title", "sections": [{"name", "columns", "totals",
    "row_count", "chunk_count"}]}; the rows of a section are the `ReportChunk`s under its number. A report of kind fleet
    or daily has a fleet or a list of `device_ids`; the others have a device. `held_device_ids` are the devices in it,
    recorded at generation: only users who may see all of them may see the report. `request_key` is equal for requests
    that one report can answer. At `expires_at` content and files are deleted, and the state becomes expired.
    """

    kind = models.CharField(_("kind"), max_length=12, choices=kind_choices)
    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, null=True, blank=True, related_name="reports", verbose_name=_("device")
    )
    fleet = models.ForeignKey(
        Fleet, on_delete=models.CASCADE, null=True, blank=True, related_name="reports", verbose_name=_("fleet")
    )
    device_ids = models.JSONField(_("devices"), null=True, blank=True)
    held_device_ids = ArrayField(models.BigIntegerField(), null=True, blank=True, editable=False)
    range_start = models.DateTimeField(_("from"))
    range_end = models.DateTimeField(_("to"))
    state = models.CharField(_("state"), max_length=10, choices=ReportState, default=ReportState.PENDING)
    error = models.TextField(_("error"), blank=True)
    content = models.JSONField(_("content"), null=True, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="reports",
        verbose_name=_("requested by"),
    )
    job_id = models.UUIDField(_("job"), null=True, blank=True)
    request_key = models.CharField(max_length=64, blank=True, editable=False)
    # Of a report without device and fleet: the zone of its days. Empty for those of earlier versions.
    time_zone = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                name="report_range_forward", condition=models.Q(range_end__gt=models.F("range_start"))
            ),
            models.UniqueConstraint(
                fields=["fleet", "range_start", "range_end"],
                condition=models.Q(kind="daily"),
                name="one_daily_report_per_fleet_and_day",
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"], name="report_not_finished", condition=models.Q(state__in=["pending", "running"])
            ),
            models.Index(fields=["expires_at"], name="report_to_expire", condition=models.Q(state="ready")),
            models.Index(
                fields=["request_key"],
                name="report_to_reuse",
                condition=models.Q(state__in=["pending", "running", "ready"]) & ~models.Q(request_key=""),
            ),
            models.Index(fields=["job_id"], name="report_by_job"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {exact_day(self.range_start, self.zone)}"

    @property
    def zone(self) -> ZoneInfo:
        """The zone of its days: its fleet's; of several fleets the one they shared when it was asked for, else TIME_ZONE."""
        fleet = self.device.fleet if self.device else self.fleet
        return ZoneInfo(self.time_zone or settings.TIME_ZONE) if fleet is None else fleet.zone


class DeletedDevice(models.Model):
    """The last fleet of a deleted device: reports that hold the device stay visible to users who may see that fleet.

    Plain numbers instead of foreign keys: the fleet may be deleted later, and then only staff may see the reports.
    """

    device_id = models.BigIntegerField(_("device"), primary_key=True)
    fleet_id = models.BigIntegerField(_("fleet"))

    class Meta:
        verbose_name = _("deleted device")
        verbose_name_plural = _("deleted devices")

    def __str__(self) -> str:
        return str(self.device_id)


class ReportChunk(models.Model):
    """Rows of a report's section by column, as bytes of `reports_app.table.chunk_codec`."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="chunks", verbose_name=_("report"))
    section = models.PositiveSmallIntegerField(_("section"))
    number = models.PositiveIntegerField(_("number"))
    row_count = models.PositiveIntegerField(_("rows"))
    data = models.BinaryField(_("data"))

    class Meta:
        verbose_name = _("report chunk")
        verbose_name_plural = _("report chunks")
        constraints = [
            models.UniqueConstraint(fields=["report", "section", "number"], name="one_chunk_per_section_and_number")
        ]

    def __str__(self) -> str:
        return f"{self.report_id} · {self.section}.{self.number}"


class ReportFile(models.Model):
    """A report in one format for one language, time zone and set of units (`reads_as`; empty for a format that does not
    depend on them). A file appears whole or not at all."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="files", verbose_name=_("report"))
    format = models.CharField(_("format"), max_length=8)
    reads_as = models.CharField(_("reads as"), max_length=100, blank=True, default="")
    file = models.FileField(_("file"), upload_to="reports/%Y/%m/")
    size_bytes = models.PositiveBigIntegerField(_("size (bytes)"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("report file")
        verbose_name_plural = _("report files")
        constraints = [
            models.UniqueConstraint(
                fields=["report", "format", "reads_as"], name="one_file_per_report_format_and_reading"
            )
        ]

    def __str__(self) -> str:
        return str(self.file.name)


class ReportFollower(models.Model):
    """A user who requested a report: notified of a failure and, if wished or if it took long, when it is ready."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="followers", verbose_name=_("report"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("user")
    )
    wants_notice = models.BooleanField(_("tell when ready"), default=False)

    class Meta:
        verbose_name = _("follower of a report")
        verbose_name_plural = _("followers of reports")
        constraints = [models.UniqueConstraint(fields=["report", "user"], name="one_follower_per_report_and_user")]

    def __str__(self) -> str:
        return f"{self.user} · {self.report_id}"
