"""Reads about devices: where each one is now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from django.db.models import BooleanField, Count, Q, QuerySet
from django.db.models.expressions import RawSQL

from tasks_app.geo.distance import geodesic_meters
from tasks_app.geo.geofence import boxes_around
from tasks_app.models import Device, DeviceState, DeviceStatus
from tasks_app.queries.access import SEND_POSITIONS, AnyUser, visible_devices
from tasks_app.utils.cache import get_newest, set_newest
from tasks_app.utils.text_arrays import text_array

# Each write of a state invalidates its entry. This bounds how stale one is whose invalidation was lost: Redis out of reach
# at that moment, a database restored from a backup.
LATEST_POSITION_SECONDS = 1

_FIELDS = (
    "version",
    "device_id",
    "status",
    "last_seen_at",
    "offline_since",
    "fix_time",
    "latitude",
    "longitude",
    "altitude_meters",
    "speed_kph",
    "is_speed_derived",
    "course_degrees",
    "accuracy_meters",
    "attributes",
    "is_moving",
    "ignition",
    "odometer_meters",
    "engine_seconds",
    "sent_odometer_meters",
    "sent_engine_seconds",
    "alarms",
    "is_battery_low",
    "geofence_ids",
    "overspeed_since",
    "overspeed_limit_kph",
    "overspeed_peak_kph",
)


def latest_position_key(device_id: int) -> str:
    """The cache key of a device's latest position; `device_id` is its primary key."""
    return f"latest-position:{device_id}"


def latest_position(device_id: int) -> dict[str, Any] | None:
    """Where a device (primary key) was last, and all else that is known of it: JSON values under the names of DeviceState.

    From the cache, else from the database; times are ISO-8601 in UTC. None for a device that was never heard of. `version`
    grows with each change.
    """
    key = latest_position_key(device_id)
    cached = get_newest(key)
    if cached is not None and "fix_time" in cached:
        return cached
    state = DeviceState.objects.filter(device_id=device_id).values(*_FIELDS).first()
    if state is None:
        return None
    found: dict[str, Any] = msgspec.to_builtins(state)
    set_newest({key: (found["version"], found)}, seconds=LATEST_POSITION_SECONDS)
    return found


def state_version(device_id: int) -> int:
    """The version of what is known of a device (primary key): another one after each change, 0 before the first."""
    cached = get_newest(latest_position_key(device_id))
    return committed_version(device_id) if cached is None else cached["version"]


def committed_version(device_id: int) -> int:
    """The version of what the database has of a device; that of the cache may be of a write still to be committed."""
    return DeviceState.objects.filter(device_id=device_id).values_list("version", flat=True).first() or 0


def count_by_status(devices: QuerySet[Device]) -> dict[DeviceStatus, int]:
    """The number of these devices in each status; those never heard of are unknown."""
    counts: dict[Any, int] = dict(devices.order_by().values_list("state__status").annotate(total=Count("id")))
    counts[DeviceStatus.UNKNOWN] = counts.pop(None, 0) + counts.get(DeviceStatus.UNKNOWN, 0)
    return {
        status: counts.get(status, 0) for status in (DeviceStatus.ONLINE, DeviceStatus.OFFLINE, DeviceStatus.UNKNOWN)
    }


def devices_of_status(devices: QuerySet[Device], status: str) -> QuerySet[Device]:
    """Those of `devices` in this status; one that was never heard of has no state, and is unknown."""
    has_it = Q(state__status=status)
    return devices.filter(has_it | Q(state=None) if status == DeviceStatus.UNKNOWN else has_it)


def devices_named(devices: QuerySet[Device], text: str) -> QuerySet[Device]:
    """Those of `devices` with this identifier or whole name; without any, those with all its words in either."""
    exact = devices.filter(Q(unique_id=text) | Q(name__iexact=text))
    return exact if exact.exists() else devices_with_words(devices, text)


def devices_with_words(devices: QuerySet[Device], text: str) -> QuerySet[Device]:
    """Those of `devices` with each of these words in their name or identifier."""
    for word in text.split():
        devices = devices.filter(Q(name__icontains=word) | Q(unique_id__icontains=word))
    return devices


def operated_devices(user: AnyUser, unique_ids: Iterable[str]) -> dict[str, bool]:
    """Which of these devices `user` operates, and whether each is active."""
    # One parameter: of `__in` the ORM would look at each of the ids several times.
    named = RawSQL(
        "tasks_app_device.unique_id = ANY(%s::text[])", [text_array(unique_ids)], output_field=BooleanField()
    )
    devices = visible_devices(user, SEND_POSITIONS).filter(named).order_by()
    return dict(devices.values_list("unique_id", "is_active"))


@dataclass(frozen=True, slots=True)
class NearDevice:
    """A device and how far its newest fix is from the place that was asked about."""

    device: Device
    distance_meters: float


def nearest_devices(
    devices: QuerySet[Device], *, latitude: float, longitude: float, limit: int, max_distance_meters: float
) -> list[NearDevice]:
    """The nearest of `devices` by their newest fix, the nearest first; two queries.

    A box around the circle is compared in the database, and exact distances are computed for what is in it. There is no
    index on the coordinates: every fix would have to write it, and there is only one row for each device.
    """
    box = Q()
    for west, south, east, north in boxes_around((longitude, latitude, longitude, latitude), max_distance_meters):
        box |= Q(state__longitude__range=(west, east), state__latitude__range=(south, north))
    places = list(devices.filter(box).values_list("pk", "state__latitude", "state__longitude"))
    if not places:
        return []
    pks, latitudes, longitudes = zip(*places, strict=True)
    distances = geodesic_meters(latitude, longitude, latitudes, longitudes)
    order = np.lexsort((pks, distances))[:limit]
    near = {pks[place]: float(distances[place]) for place in order if distances[place] <= max_distance_meters}
    found = Device.objects.select_related("state").in_bulk(near)
    return [NearDevice(found[pk], distance) for pk, distance in near.items() if pk in found]
