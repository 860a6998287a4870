"""Stored fixes. The table is range-partitioned by `fix_time`, one partition per UTC day (see the first migration)."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.models.devices import Device
from tasks_app.utils.clock import exact_time


class Position(models.Model):
    """One stored fix. (device, fix_time) is its identity and the idempotency key of ingest: it is stored once."""

    pk = models.CompositePrimaryKey("device_id", "fix_time")
    device = models.ForeignKey(
        Device, on_delete=models.DO_NOTHING, db_constraint=False, related_name="positions", verbose_name=_("device")
    )
    fix_time = models.DateTimeField(_("fix time"))
    received_at = models.DateTimeField(_("received at"))
    latitude = models.FloatField(_("latitude"))
    longitude = models.FloatField(_("longitude"))
    altitude_meters = models.FloatField(_("altitude (m)"), null=True)
    speed_kph = models.FloatField(_("speed (km/h)"), null=True)
    course_degrees = models.FloatField(_("course (degrees)"), null=True)
    accuracy_meters = models.FloatField(_("accuracy (m)"), null=True)
    attributes = models.JSONField(_("attributes"), null=True)

    class Meta:
        verbose_name = _("position")
        verbose_name_plural = _("positions")
        constraints = [
            models.CheckConstraint(
                name="position_coordinates_in_range",
                condition=models.Q(latitude__gte=-90, latitude__lte=90, longitude__gte=-180, longitude__lte=180),
            ),
            models.CheckConstraint(
                name="position_speed_sane",
                condition=models.Q(speed_kph__isnull=True) | models.Q(speed_kph__gte=0, speed_kph__lte=100_000),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.device_id} {exact_time(self.fix_time)}"
