"""Split a batch into accepted items and rejected ones (unknown, forbidden or inactive device)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar, cast

from django.contrib.auth import get_user_model

from tasks_app.ingest.fix import RejectedFix
from tasks_app.ingest.validate import shown
from tasks_app.queries.access import SEND_POSITIONS, visible_fleets
from tasks_app.services.positions.states import KnownDevice, find_devices


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
    known = find_devices({item.device_id for item in items})
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


def _refusal(index: int, unique_id: str, device: KnownDevice | None) -> RejectedFix:
    if device is None:
        return RejectedFix(index, "unknown_device", f"No device has the id {shown(unique_id)}.")
    return RejectedFix(index, "inactive_device", f"The device {shown(unique_id)} is not active.")
