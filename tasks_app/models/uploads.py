"""Uploaded files of positions and the outcome of their imports."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.models.devices import Device
from tasks_app.models.fleets import Fleet, validate_time_zone


class UploadState(models.TextChoices):
    PENDING = "pending", _("Pending")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


UNFINISHED = (UploadState.PENDING, UploadState.RUNNING)


class UploadFormat(models.TextChoices):
    AUTO = "", _("By its name and content")
    CSV = "csv", "CSV"
    GPX = "gpx", "GPX"
    GEOJSON = "geojson", "GeoJSON"
    JSON = "json", "JSON"
    JSONL = "jsonl", _("JSON lines")
    TRACCAR_CSV = "traccar_csv", _("Traccar's CSV export")


class PositionUpload(models.Model):
    """One uploaded file. It is kept until its import ends; `counts` says after every chunk how far that is.

    `counts` is {"read", "stored", "duplicates", "events", "devices_created": numbers, "rejected" and "filtered":
    {code: number}, "unknown_quantities": {quantity: number}, "examples": {code: sentence}}.
    """

    name = models.CharField(_("file name"), max_length=200)
    file = models.FileField(_("file"), max_length=300, blank=True)
    size_bytes = models.PositiveBigIntegerField(_("size (bytes)"))
    format = models.CharField(
        _("format"), max_length=12, choices=UploadFormat, blank=True, default=UploadFormat.AUTO.value
    )
    device = models.ForeignKey(
        Device,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("device"),
        help_text=_("Stands for whatever device the file names."),
    )
    fleet = models.ForeignKey(
        Fleet,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("fleet of new devices"),
        help_text=_("Unknown devices are created there; empty rejects their positions."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text=_("Of times in the file that state none, such as those of Traccar's export."),
    )
    state = models.CharField(_("state"), max_length=9, choices=UploadState, default=UploadState.PENDING)
    counts = models.JSONField(_("counts"), default=dict, blank=True)
    error = models.TextField(_("error"), blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("requested by")
    )
    job_id = models.UUIDField(_("job"), editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("import of positions")
        verbose_name_plural = _("imports of positions")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                fields=["created_at"], name="upload_not_finished", condition=models.Q(state__in=["pending", "running"])
            )
        ]

    def __str__(self) -> str:
        return self.name
