"""Devices that send: a batch is split into accepted items and rejected ones (unknown, forbidden or inactive device)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar, cast

import msgspec
from django.contrib.auth import get_user_model
from django.db import connection

from tasks_app.ingest.fix import RejectedFix
from tasks_app.ingest.validate import shown
from tasks_app.queries.access import SEND_POSITIONS, visible_fleets

_DEVICES = """
    SELECT d.id, d.unique_id, d.fleet_id, d.kind, d.is_active, COALESCE(d.speed_limit_kph, f.speed_limit_kph),
           COALESCE(d.overspeed_tolerance_kph, f.overspeed_tolerance_kph),
           COALESCE(d.overspeed_min_seconds, f.overspeed_min_seconds), f.battery_low_percent, f.time_zone,
           s.device_id IS NOT NULL,
           EXISTS (SELECT FROM tasks_app_filtersettings o WHERE o.device_id = d.id OR o.fleet_id = d.fleet_id)
    FROM tasks_app_device d
    JOIN tasks_app_fleet f ON f.id = d.fleet_id
    LEFT JOIN tasks_app_devicestate s ON s.device_id = d.id
    WHERE d.unique_id = ANY(%s)
"""


class KnownDevice(msgspec.Struct, frozen=True, gc=False):
    """A device as the pipeline needs it. Limits are its own or its fleet's."""

    pk: int
    unique_id: str
    fleet_id: int
    kind: str
    is_active: bool
    speed_limit_kph: float | None
    overspeed_tolerance_kph: float
    overspeed_min_seconds: int
    battery_low_percent: float
    time_zone: str
    has_state: bool
    has_filters: bool = False


class _Sent(Protocol):
    @property
    def device_id(self) -> str: ...


T = TypeVar("T", bound=_Sent)


@dataclass(slots=True)
class Accepted(Generic[T]):
    """Accepted items with their devices, by primary key ascending; `rejected` by index in the whole batch."""

    items: list[T]
    pks: list[int]
    received_at: list[datetime]
    devices: list[KnownDevice]
    rejected: list[RejectedFix]


def operated_fleets(user_id: int) -> set[int]:
    """Fleets for whose devices this user may send; none for a deleted or inactive user."""
    user = get_user_model().objects.filter(pk=user_id, is_active=True).first()
    return set() if user is None else set(visible_fleets(user, SEND_POSITIONS).values_list("pk", flat=True))


def accept(items: Sequence[T], received: Sequence[datetime], allowed_fleets: set[int] | None) -> Accepted[T]:
    """Find the devices of these items (unique ids). With `allowed_fleets` the devices of others are unknown."""
    known = _find_devices({item.device_id for item in items})
    if allowed_fleets is not None:
        known = {unique_id: device for unique_id, device in known.items() if device.fleet_id in allowed_fleets}
    active = {unique_id: device.pk for unique_id, device in known.items() if device.is_active}
    devices = sorted((device for device in known.values() if device.is_active), key=lambda device: device.pk)
    pks = [active.get(item.device_id) for item in items]
    if None not in pks:
        return Accepted(list(items), cast(list[int], pks), list(received), devices, [])
    accepted: Accepted[T] = Accepted([], [], [], devices, [])
    for index, (item, pk) in enumerate(zip(items, pks, strict=True)):
        if pk is None:
            accepted.rejected.append(_refusal(index, item.device_id, known.get(item.device_id)))
            continue
        accepted.items.append(item)
        accepted.pks.append(pk)
        accepted.received_at.append(received[index])
    return accepted


def _find_devices(unique_ids: Iterable[str]) -> dict[str, KnownDevice]:
    """The devices of these unique ids, by unique id; unknown ones are not in it."""
    with connection.cursor() as cursor:
        cursor.execute(_DEVICES, [list(unique_ids)])
        return {row[1]: KnownDevice(*row) for row in cursor.fetchall()}


def _refusal(index: int, unique_id: str, device: KnownDevice | None) -> RejectedFix:
    if device is None:
        return RejectedFix(index, "unknown_device", f"No device has the id {shown(unique_id)}.")
    return RejectedFix(index, "inactive_device", f"The device {shown(unique_id)} is not active.")
