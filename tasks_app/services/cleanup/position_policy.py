"""Retention of positions per device. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from tasks_app.services.cleanup.runs import cutoff


@dataclass(frozen=True, slots=True)
class RetentionOverride:
    """Retention of a fleet or a device: `days`, or `forever`, or (neither) that of the level above."""

    days: int | None = None
    forever: bool = False

    @property
    def is_made(self) -> bool:
        return self.forever or self.days is not None


@dataclass(frozen=True, slots=True)
class PositionPolicy:
    """Days to keep by device primary key where it differs from `default_days`; None is for ever."""

    default_days: int
    by_device: Mapping[int, int | None] = field(default_factory=dict)
    # Where one device is asked for alone, all others stay.
    only_device: int | None = None

    def days_of(self, device_id: int) -> int | None:
        return self.by_device.get(device_id, self.default_days)

    def goes(self, device_id: int, day: date, now: datetime) -> bool:
        """Whether positions of this device go with a UTC day, which ended before the days to keep began."""
        days = self.days_of(device_id)
        if days is None or (self.only_device is not None and device_id != self.only_device):
            return False
        return day < oldest_kept_day(now, days)

    def newest_day_to_look_at(self, now: datetime) -> date:
        """Nothing goes of this UTC day and later ones."""
        shortest = min([self.default_days, *(days for days in self.by_device.values() if days is not None)])
        return oldest_kept_day(now, shortest)


def oldest_kept_day(now: datetime, days: int) -> date:
    """The first UTC day that is kept whole."""
    return cutoff(now, days).astimezone(UTC).date()


def make_policy(
    default_days: int,
    overrides: Iterable[tuple[int, RetentionOverride, RetentionOverride]],
    *,
    only_device: int | None = None,
) -> PositionPolicy:
    """The policy of (device primary key, the device's wish, its fleet's wish): the device's counts before the fleet's."""
    by_device = {}
    for device_id, own, fleets in overrides:
        override = own if own.is_made else fleets
        if override.is_made and (override.forever or override.days != default_days):
            by_device[device_id] = None if override.forever else override.days
    return PositionPolicy(default_days, by_device, only_device)
