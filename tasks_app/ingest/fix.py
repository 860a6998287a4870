"""The one value every wire format becomes: a `Fix`, one GPS measurement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec


class Fix(msgspec.Struct, frozen=True, gc=False):
    """One GPS measurement of one device, in the product's own units.

    `device_id` is the device's unique identifier as the device states it (not a primary key); `fix_time` is
    aware and in UTC. Optional quantities are None when the device did not send them, or sent what cannot be right: then
    `unknown` names them (validate.QUANTITIES). A struct because a frozen dataclass takes five times as long to make, and
    here are thousands a second.
    """

    device_id: str
    fix_time: datetime
    latitude: float
    longitude: float
    speed_kph: float | None = None
    course_degrees: float | None = None
    altitude_meters: float | None = None
    accuracy_meters: float | None = None
    attributes: dict[str, Any] = {}
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RejectedFix:
    """A measurement that cannot be right: its place in the batch, a machine-readable code and a sentence for people."""

    index: int
    code: str
    detail: str
