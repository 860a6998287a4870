"""How far the live detection of trips has come with each device."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.models.devices import Device


class TripState(models.Model):
    """Start of the next look at a device's fixes, and its last trip with an event. Written by `services.devices.live_trips`.

    Nothing from `open_from` on is decided yet. `started_at` is the start of the newest trip that was recorded, with the event
    of its end once there is one; an end recorded because the device fell silent is put right when its fixes come after all.
    """

    device = models.OneToOneField(
        Device, on_delete=models.CASCADE, primary_key=True, related_name="trip_state", verbose_name=_("device")
    )
    context_from = models.DateTimeField(help_text=_("Fixes from here on tell of those from open_from on."))
    open_from = models.DateTimeField()
    seen_until = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    end_event_id = models.BigIntegerField(null=True)
    is_going = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("live trip of a device")
        verbose_name_plural = _("live trips of devices")

    def __str__(self) -> str:
        return f"{self.device} · {self.started_at}"
