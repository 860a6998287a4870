"""Events: something that happened to a device."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.models.devices import Device
from tasks_app.models.geofences import Geofence
from tasks_app.utils.clock import exact_time


class EventKind(models.TextChoices):
    GEOFENCE_ENTER = "geofence_enter", _("Geofence entered")
    GEOFENCE_EXIT = "geofence_exit", _("Geofence left")
    OVERSPEED = "overspeed", _("Overspeed")
    OVERSPEED_END = "overspeed_end", _("Overspeed ended")
    DEVICE_OFFLINE = "device_offline", _("Device offline")
    DEVICE_ONLINE = "device_online", _("Device back online")
    IGNITION_ON = "ignition_on", _("Ignition on")
    IGNITION_OFF = "ignition_off", _("Ignition off")
    ALARM = "alarm", _("Alarm")
    BATTERY_LOW = "battery_low", _("Battery low")
    COMMAND_RESULT = "command_result", _("Command result")
    TRIP_START = "trip_start", _("Trip started")
    TRIP_END = "trip_end", _("Trip ended")
    MAINTENANCE_DUE_SOON = "maintenance_due_soon", _("Maintenance due soon")
    MAINTENANCE_DUE = "maintenance_due", _("Maintenance due")


def event_kind_choices() -> list[tuple[str, Any]]:
    """The choices of `Event.kind`; a function, so that a new kind changes no migration."""
    return EventKind.choices


class Event(models.Model):
    """One thing that happened. `data` holds the fields of its kind, quantities with their unit in the key.

    overspeed: speed_kph, speed_limit_kph, and once it ended peak_kph, ended_at, duration_seconds. Its time, place and
    geofence are those of its beginning, however long it had to last to be recorded. overspeed_end: speed_limit_kph,
    peak_kph, started_at, duration_seconds; written with the end of the overspeed event, at the time and place of that end.
    geofence_*: geofence (its name), speed_kph. alarm: alarm (the device's name for it), last_fix_at where it came without a
    place and has the last known one. battery_low: battery_percent. command_result: result (a text), last_fix_at;
    of a command's end also command_id, command (its type), state and reason.
    trip_end: started_at, distance_meters, duration_seconds, max_speed_kph, average_speed_kph, start_latitude,
    start_longitude. device_offline: offline_minutes. maintenance_*: plan_id, plan, remaining.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="events", verbose_name=_("device"))
    kind = models.CharField(_("kind"), max_length=24, choices=event_kind_choices)
    occurred_at = models.DateTimeField(_("occurred at"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    latitude = models.FloatField(_("latitude"), null=True, blank=True)
    longitude = models.FloatField(_("longitude"), null=True, blank=True)
    geofence = models.ForeignKey(
        Geofence, on_delete=models.SET_NULL, null=True, blank=True, related_name="events", verbose_name=_("geofence")
    )
    data = models.JSONField(_("data"), default=dict, blank=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-occurred_at", "-id"]
        indexes = [
            models.Index(fields=["device", "-occurred_at"], name="event_by_device_and_time"),
            models.Index(fields=["-occurred_at", "-id"], name="event_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {exact_time(self.occurred_at)}"

    @property
    def geofence_name(self) -> str:
        """Return the name of its geofence, of one deleted since the name it had; "" without one."""
        return self.geofence.name if self.geofence else str(self.data.get("geofence") or "")

    def get_kind_display(self) -> str:  # type: ignore[no-redef]
        """Return the label. Django's own translates those of all kinds for it, which is half of what a row of a list costs."""
        return str(EventKind(self.kind).label) if self.kind in EventKind.values else self.kind
