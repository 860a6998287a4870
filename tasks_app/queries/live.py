"""Reads for live viewers: what is in a fleet now, and what happened in it lately, as JSON that is encoded once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection

from tasks_app.models import Command, DeviceStatus, Event

RECENT_EVENTS = 20
RECENT_EVENTS_AGE = timedelta(days=1)
RECENT_COMMANDS = 50

STATE_FIELDS = (
    "status",
    "last_seen_at",
    "fix_time",
    "latitude",
    "longitude",
    "altitude_meters",
    "speed_kph",
    "is_speed_derived",
    "course_degrees",
    "accuracy_meters",
    "is_moving",
    "ignition",
    "odometer_meters",
    "geofence_ids",
)
COMMAND_FIELDS = (
    "id",
    "device_id",
    "type",
    "way",
    "state",
    "state_reason",
    "not_before",
    "expires_at",
    "created_at",
    "sent_at",
    "acknowledged_at",
    "ended_at",
    "answer",
)
EVENT_FIELDS = ("id", "kind", "device_id", "geofence_id", "occurred_at", "latitude", "longitude", "data")
_UNHEARD_OF: dict[str, Any] = dict.fromkeys(STATE_FIELDS) | {"status": DeviceStatus.UNKNOWN.value, "geofence_ids": []}

_encode = msgspec.json.Encoder().encode


class DeviceInfo(msgspec.Struct, frozen=True):
    """Properties of a device, which change rarely."""

    id: int
    fleet_id: int
    unique_id: str
    name: str
    kind: str
    is_active: bool


class DeviceNow(msgspec.Struct, frozen=True):
    """Where a device is: JSON of STATE_FIELDS, and its age (fix time, time of last sign; microseconds, 0 for never)."""

    device_id: int
    age: tuple[int, int]
    state: bytes


class RecentEvent(msgspec.Struct, frozen=True):
    """An event as JSON of EVENT_FIELDS."""

    event_id: int
    event: bytes


class CommandNow(msgspec.Struct, frozen=True):
    """A command as JSON of COMMAND_FIELDS; a higher version is newer."""

    command_id: int
    version: int
    command: bytes


def microseconds(at: datetime | None) -> int:
    """Microseconds since 1970; 0 for none."""
    return 0 if at is None else round(at.timestamp() * 1_000_000)


def device_now(state: Any) -> DeviceNow:
    """Return a state (DeviceState or the pipeline's State) as live viewers get it."""
    values = {name: getattr(state, name) for name in STATE_FIELDS}
    return DeviceNow(state.device_id, (microseconds(state.fix_time), microseconds(state.last_seen_at)), _encode(values))


def recent_event(event: Event) -> RecentEvent:
    """Return an event as live viewers get it."""
    return RecentEvent(event.pk, _encode({name: getattr(event, name) for name in EVENT_FIELDS}))


def command_now(command: Command) -> CommandNow:
    """Return a command as live viewers get it."""
    return CommandNow(command.pk, command.version, _encode({name: getattr(command, name) for name in COMMAND_FIELDS}))


_FLEETS = f"""
    SELECT d.id, d.fleet_id, d.unique_id, d.name, d.kind, d.is_active, s.device_id IS NOT NULL,
           {", ".join(f"s.{name}" for name in STATE_FIELDS)}
    FROM tasks_app_device d LEFT JOIN tasks_app_devicestate s ON s.device_id = d.id
    WHERE d.fleet_id = ANY(%s)
"""  # noqa: S608 - names of fields above


def devices_of(fleet_ids: Sequence[int]) -> dict[int, list[tuple[DeviceInfo, DeviceNow]]]:
    """Every device of these fleets, by fleet, with its state now."""
    found: dict[int, list[tuple[DeviceInfo, DeviceNow]]] = {fleet_id: [] for fleet_id in fleet_ids}
    with connection.cursor() as cursor:
        cursor.execute(_FLEETS, [list(fleet_ids)])
        for row in cursor.fetchall():
            info = DeviceInfo(*row[:6])
            found[info.fleet_id].append((info, _now_of_row(info.id, row)))
    return found


def _now_of_row(device_id: int, row: tuple[Any, ...]) -> DeviceNow:
    values: dict[str, Any] = dict(zip(STATE_FIELDS, row[7:], strict=True)) if row[6] else _UNHEARD_OF
    age = (microseconds(values["fix_time"]), microseconds(values["last_seen_at"]))
    return DeviceNow(device_id, age, _encode(values))


_EVENTS = f"""
    SELECT fleets.id, {", ".join(f"recent.{name}" for name in EVENT_FIELDS)}
    FROM unnest(%s::bigint[]) fleets(id) CROSS JOIN LATERAL (
        SELECT e.* FROM tasks_app_event e JOIN tasks_app_device d ON d.id = e.device_id
        WHERE d.fleet_id = fleets.id AND e.occurred_at > %s ORDER BY e.occurred_at DESC, e.id DESC LIMIT %s
    ) recent
"""  # noqa: S608 - names of fields above


def recent_events_of(fleet_ids: Sequence[int], now: datetime) -> dict[int, list[RecentEvent]]:
    """The latest events of each of these fleets, oldest first: at most 20 of the last day."""
    found: dict[int, list[RecentEvent]] = {fleet_id: [] for fleet_id in fleet_ids}
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, [list(fleet_ids), now - RECENT_EVENTS_AGE, RECENT_EVENTS])
        for fleet_id, *row in cursor.fetchall():
            values = dict(zip(EVENT_FIELDS, row, strict=True))
            if isinstance(values["data"], str):
                values["data"] = msgspec.Raw(values["data"].encode())
            found[fleet_id].append(RecentEvent(values["id"], _encode(values)))
    return {fleet_id: events[::-1] for fleet_id, events in found.items()}


_COMMANDS = f"""
    SELECT fleets.id, recent.version, {", ".join(f"recent.{name}" for name in COMMAND_FIELDS)}
    FROM unnest(%s::bigint[]) fleets(id) CROSS JOIN LATERAL (
        SELECT c.* FROM tasks_app_command c JOIN tasks_app_device d ON d.id = c.device_id
        WHERE d.fleet_id = fleets.id AND c.created_at > %s ORDER BY c.created_at DESC, c.id DESC LIMIT %s
    ) recent
"""  # noqa: S608 - names of fields above


def recent_commands_of(fleet_ids: Sequence[int], now: datetime) -> dict[int, list[CommandNow]]:
    """The latest commands to devices of each of these fleets, oldest first: at most 50 of the last day."""
    found: dict[int, list[CommandNow]] = {fleet_id: [] for fleet_id in fleet_ids}
    with connection.cursor() as cursor:
        cursor.execute(_COMMANDS, [list(fleet_ids), now - RECENT_EVENTS_AGE, RECENT_COMMANDS])
        for fleet_id, version, *row in cursor.fetchall():
            values = dict(zip(COMMAND_FIELDS, row, strict=True))
            found[fleet_id].append(CommandNow(values["id"], version, _encode(values)))
    return {fleet_id: commands[::-1] for fleet_id, commands in found.items()}


_GEOFENCES = """
    SELECT fleet_id, count(*), max(updated_at) FROM tasks_app_geofence WHERE fleet_id = ANY(%s) GROUP BY fleet_id
"""


def geofence_marks_of(fleet_ids: Sequence[int]) -> dict[int, tuple[int, datetime | None]]:
    """Return marks that differ once a geofence of the fleet was made, changed or deleted: their number, and the last change."""
    with connection.cursor() as cursor:
        cursor.execute(_GEOFENCES, [list(fleet_ids)])
        return dict.fromkeys(fleet_ids, (0, None)) | {fleet_id: tuple(mark) for fleet_id, *mark in cursor.fetchall()}


def fleets_of_devices(device_ids: Iterable[int]) -> dict[int, int]:
    """The fleet of each of these devices."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, fleet_id FROM tasks_app_device WHERE id = ANY(%s)", [list(device_ids)])
        return dict(cursor.fetchall())
