"""Devices that send: a batch is split into accepted items and rejected ones (unknown, forbidden or inactive device)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import msgspec
from django.contrib.auth import get_user_model
from django.db import connection

from tasks_app.ingest.fix import RejectedFix
from tasks_app.ingest.validate import shown
from tasks_app.queries.access import SEND_POSITIONS, visible_fleets
from tasks_app.utils.text_arrays import text_array

_DEVICES = """
    SELECT d.id, d.unique_id, d.fleet_id, d.kind, d.is_active, COALESCE(d.speed_limit_kph, f.speed_limit_kph),
           COALESCE(d.overspeed_tolerance_kph, f.overspeed_tolerance_kph),
           COALESCE(d.overspeed_min_seconds, f.overspeed_min_seconds), f.battery_low_percent, f.time_zone,
           s.device_id IS NOT NULL,
           EXISTS (SELECT FROM tasks_app_filtersettings o WHERE o.device_id = d.id OR o.fleet_id = d.fleet_id)
    FROM tasks_app_device d
    JOIN tasks_app_fleet f ON f.id = d.fleet_id
    LEFT JOIN tasks_app_devicestate s ON s.device_id = d.id
    WHERE d.unique_id = ANY(%s::text[])
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


class _Item(Protocol):
    @property
    def device_id(self) -> str: ...


T = TypeVar("T", bound=_Item)


@dataclass(frozen=True, slots=True)
class Sent(Generic[T]):
    """Items that came with one job, each with its arrival. With `allowed_fleets` the devices of other fleets are unknown."""

    items: Sequence[T]
    received_at: Sequence[datetime]
    allowed_fleets: Set[int] | None = None


@dataclass(slots=True)
class Accepted(Generic[T]):
    """Accepted items with the numbers of their jobs, and their devices by primary key ascending.

    `rejected[j]` are those of job j, by index in it.
    """

    items: list[T] = field(default_factory=list)
    pks: list[int] = field(default_factory=list)
    received_at: list[datetime] = field(default_factory=list)
    jobs: list[int] = field(default_factory=list)
    devices: list[KnownDevice] = field(default_factory=list)
    rejected: list[list[RejectedFix]] = field(default_factory=list)


def operated_fleets(user_id: int) -> set[int]:
    """Fleets for whose devices this user may send; none for a deleted or inactive user."""
    user = get_user_model().objects.filter(pk=user_id, is_active=True).first()
    return set() if user is None else set(visible_fleets(user, SEND_POSITIONS).values_list("pk", flat=True))


def accept(jobs: Sequence[Sent[T]]) -> Accepted[T]:
    """Find the devices of the items of these jobs by their unique ids; refuse unknown, forbidden and inactive ones."""
    known = _find_devices({item.device_id for job in jobs for item in job.items})
    accepted: Accepted[T] = Accepted()
    of_fleets: dict[int, dict[str, KnownDevice]] = {}
    for number, job in enumerate(jobs):
        # Most jobs of a batch are of one user, whose fleets are one set.
        key = id(job.allowed_fleets)
        if key not in of_fleets:
            of_fleets[key] = {name: one for name, one in known.items() if _is_allowed(one, job.allowed_fleets)}
        accepted.rejected.append(_accept_one(accepted, number, job, of_fleets[key]))
    used = set(accepted.pks)
    accepted.devices = sorted((one for one in known.values() if one.pk in used), key=lambda one: one.pk)
    return accepted


def _accept_one(
    accepted: Accepted[T], number: int, job: Sent[T], known: Mapping[str, KnownDevice]
) -> list[RejectedFix]:
    """Add the good items of one job; return the others."""
    devices = [known.get(item.device_id) for item in job.items]
    good = [device.pk for device in devices if device is not None and device.is_active]
    accepted.pks += good
    accepted.jobs += [number] * len(good)
    if len(good) == len(devices):
        accepted.items += job.items
        accepted.received_at += job.received_at
        return []
    rejected = []
    for index, (item, device, received_at) in enumerate(zip(job.items, devices, job.received_at, strict=True)):
        if device is None or not device.is_active:
            rejected.append(_refusal(index, item.device_id, device))
        else:
            accepted.items.append(item)
            accepted.received_at.append(received_at)
    return rejected


def _is_allowed(device: KnownDevice, allowed_fleets: Set[int] | None) -> bool:
    return allowed_fleets is None or device.fleet_id in allowed_fleets


def _find_devices(unique_ids: Iterable[str]) -> dict[str, KnownDevice]:
    """The devices of these unique ids, by unique id; unknown ones are not in it."""
    with connection.cursor() as cursor:
        cursor.execute(_DEVICES, [text_array(unique_ids)])
        return {row[1]: KnownDevice(*row) for row in cursor.fetchall()}


def _refusal(index: int, unique_id: str, device: KnownDevice | None) -> RejectedFix:
    if device is None:
        return RejectedFix(index, "unknown_device", f"No device has the id {shown(unique_id)}.")
    return RejectedFix(index, "inactive_device", f"The device {shown(unique_id)} is not active.")
