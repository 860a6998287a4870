"""Roll-ups of devices per local day, so that reports over months need not read positions."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.models.devices import Device


class DeviceDay(models.Model):
    """One day of a device, in the zone its fleet had. A day without fixes has no row.

    Written by `services.devices.days` only. It stays when the positions it was made of are dropped. Trips and stops count
    in the day they started in; idle is part of stopped, and `driven_meters` leaves out what was made in silences.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="days", verbose_name=_("device"))
    day = models.DateField(_("day"))
    time_zone = models.CharField(_("time zone"), max_length=64)
    distance_meters = models.FloatField(_("distance (m)"))
    driven_meters = models.FloatField(_("driven (m)"))
    moving_seconds = models.FloatField(_("moving (s)"))
    stopped_seconds = models.FloatField(_("stopped (s)"))
    idle_seconds = models.FloatField(_("idle (s)"))
    engine_seconds = models.FloatField(_("engine on (s)"))
    max_speed_kph = models.FloatField(_("top speed (km/h)"))
    trip_count = models.PositiveIntegerField(_("trips"))
    stop_count = models.PositiveIntegerField(_("stops"))
    fix_count = models.PositiveIntegerField(_("positions"))
    first_fix_at = models.DateTimeField(_("first position"))
    last_fix_at = models.DateTimeField(_("last position"))
    event_counts = models.JSONField(_("events by kind"), default=dict)
    # The fixes before and after the day that it was computed with, and whether later ones could still change it.
    previous_fix_at = models.DateTimeField(null=True, editable=False)
    next_fix_at = models.DateTimeField(null=True, editable=False)
    is_settled = models.BooleanField(default=False, editable=False)
    # The last position, as retention may drop it while the next day is still computed anew; null in rows of earlier versions.
    last_latitude = models.FloatField(null=True, editable=False)
    last_longitude = models.FloatField(null=True, editable=False)
    last_speed_kph = models.FloatField(null=True, editable=False)
    last_ignition = models.BooleanField(null=True, editable=False)
    computed_at = models.DateTimeField(_("computed at"))

    class Meta:
        verbose_name = _("day of a device")
        verbose_name_plural = _("days of devices")
        ordering = ["device_id", "day"]
        constraints = [models.UniqueConstraint(fields=["device", "day"], name="device_day_once")]

    def __str__(self) -> str:
        return f"{self.device} · {self.day}"
