"""Days of positions for the tests of retention, and what must be true after any of its runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import connection

from tasks_app.models import Device, DeviceState, Event, Position
from tasks_app.services.partitions import (
    drop_going,
    drop_partition,
    drop_replacements,
    ensure_partitions,
    forget_known_partitions,
    list_going,
    list_partitions,
)

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)

_UNREFERENCED = """
    SELECT device_id, at FROM (
        SELECT device_id, fix_time AS at FROM tasks_app_devicestate WHERE fix_time IS NOT NULL
        UNION ALL SELECT device_id, occurred_at FROM tasks_app_event
    ) r WHERE NOT EXISTS (SELECT FROM tasks_app_position p WHERE p.device_id = r.device_id AND p.fix_time = r.at)
"""


def drop_all_partitions() -> None:
    """As after the migrations."""
    for name, _day in list_partitions():
        drop_partition(name)
    for name, _day in list_going():
        drop_going(name)
    drop_replacements()
    forget_known_partitions()


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def store(device: Device, *times: datetime) -> None:
    """Positions at these times, their partitions made where they are missing."""
    ensure_partitions(times)
    rows = [
        Position(device=device, fix_time=at, received_at=at, latitude=-23.5, longitude=-46.6, speed_kph=40)
        for at in times
    ]
    Position.objects.bulk_create(rows)


def store_day(device: Device, days: float, count: int = 10) -> list[datetime]:
    """`count` positions, one a second from so many days ago on."""
    times = [days_ago(days) + timedelta(seconds=second) for second in range(count)]
    store(device, *times)
    return times


def set_state(device: Device, at: datetime) -> None:
    DeviceState.objects.update_or_create(device=device, defaults={"fix_time": at, "latitude": 0, "longitude": 0})


def make_event(device: Device, at: datetime, kind: str = "overspeed") -> Event:
    return Event.objects.create(device=device, kind=kind, occurred_at=at)


def stored_times(device: Device) -> list[datetime]:
    return list(Position.objects.filter(device=device).order_by("fix_time").values_list("fix_time", flat=True))


def missing_references() -> list[tuple[int, datetime]]:
    """Last known positions and positions of events that are not stored."""
    with connection.cursor() as cursor:
        cursor.execute(_UNREFERENCED)
        return cursor.fetchall()
