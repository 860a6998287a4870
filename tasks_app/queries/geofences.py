"""Reads about geofences: who is inside."""

from __future__ import annotations

from django.db.models import QuerySet

from tasks_app.models import Device, Geofence


def devices_inside(geofence: Geofence) -> QuerySet[Device]:
    """The devices whose newest fix is inside the geofence, as the pipeline last decided."""
    return Device.objects.filter(fleet_id=geofence.fleet_id, state__geofence_ids__contains=[geofence.pk])
