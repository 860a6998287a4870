"""The devices and geofences that a rule watches, for its map: those it names, or all of its fleet."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from django.db.models import QuerySet

from notifications_app.matching.decisions import GEOFENCE_KINDS
from tasks_app.models import Device, DeviceState, DeviceStatus, Geofence
from tasks_app.queries.access import visible_devices, visible_geofences

MAX_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Subjects:
    """The choices of a rule that decide what it watches. No fleet is every fleet; no ids are all of it."""

    fleet_id: int | None
    event_kinds: Collection[str]
    device_ids: frozenset[int] = frozenset()
    geofence_ids: frozenset[int] = frozenset()
    within_geofence_ids: frozenset[int] = frozenset()

    @property
    def key(self) -> str:
        """Return a short text that is equal where the same is watched."""
        ids = (sorted(self.device_ids), sorted(self.geofence_ids), sorted(self.within_geofence_ids))
        text = f"{self.fleet_id}:{self._asks_for_geofences}:{ids}"
        return blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def _asks_for_geofences(self) -> bool:
        return bool(GEOFENCE_KINDS.intersection(self.event_kinds))

    def devices(self, user: Any) -> QuerySet[Device]:
        """Return the devices, of those that `user` may see."""
        seen = visible_devices(user).select_related("state")
        if self.device_ids:
            return seen.filter(pk__in=self.device_ids)
        return seen if self.fleet_id is None else seen.filter(fleet=self.fleet_id)

    def geofences(self, user: Any) -> QuerySet[Geofence]:
        """Return the geofences, likewise; all of the fleet where entering and leaving any of them counts."""
        seen = visible_geofences(user)
        if not self.geofence_ids and self._asks_for_geofences:
            return seen if self.fleet_id is None else seen.filter(fleet=self.fleet_id)
        return seen.filter(pk__in=self.geofence_ids | self.within_geofence_ids)


def watched_map(subjects: Subjects, user: Any) -> dict[str, Any]:
    """Return what is watched as the map component takes it; at most MAX_SHOWN of each, and how many there are."""
    devices, geofences = subjects.devices(user), subjects.geofences(user)
    return {
        "key": subjects.key,
        "devices": [_device(one) for one in devices.order_by("name", "pk")[:MAX_SHOWN]],
        "geofences": [
            {"id": one.pk, "name": one.name, "area": one.area} for one in geofences.order_by("name", "pk")[:MAX_SHOWN]
        ],
        "device_count": devices.count(),
        "geofence_count": geofences.count(),
    }


def _device(device: Device) -> dict[str, Any]:
    state: DeviceState | None = getattr(device, "state", None)
    if state is None:
        return {"id": device.pk, "name": device.name, "state": {"status": DeviceStatus.UNKNOWN.value}}
    names = ("status", "latitude", "longitude", "is_moving", "course_degrees")
    return {"id": device.pk, "name": device.name, "state": {name: getattr(state, name) for name in names}}
