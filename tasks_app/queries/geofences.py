"""Reads about geofences: who is inside, where the devices are, what was changed."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet

from tasks_app.geo.area_doubts import MOST_DEVICES
from tasks_app.models import Device, DeviceState, Geofence


def devices_inside(geofence: Geofence) -> QuerySet[Device]:
    """The devices whose newest fix is inside the geofence, as the pipeline last decided."""
    return Device.objects.filter(fleet_id=geofence.fleet_id, state__geofence_ids__contains=[geofence.pk])


def places_of_devices(fleet_id: int) -> tuple[list[float], list[float]]:
    """The latitudes and longitudes at which the devices of a fleet were last, of at most MOST_DEVICES of them."""
    states = DeviceState.objects.filter(device__fleet_id=fleet_id, latitude__isnull=False, longitude__isnull=False)
    found: list[Any] = list(states.values_list("latitude", "longitude")[:MOST_DEVICES])
    return [latitude for latitude, _ in found], [longitude for _, longitude in found]


def log_of(geofence: Geofence, most: int) -> QuerySet[LogEntry]:
    """The newest records of what was done to a geofence."""
    kind = ContentType.objects.get_for_model(Geofence)
    found = LogEntry.objects.filter(content_type=kind, object_id=str(geofence.pk)).select_related("user")
    return found.order_by("-action_time", "-pk")[:most]
